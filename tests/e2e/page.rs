//! What a person does with a page, and sees on it.

use std::fmt::Debug;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rocket::serde::json::{Value, json};

use crate::browser::{Browser, Element};

/// How long something may take to happen; a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// Keys that have no character.
pub const TAB: char = '\u{e004}';
const SHIFT: char = '\u{e008}';
pub const ENTER: char = '\u{e007}';

/// Finds what can be pressed by the name that a screen reader says.
const NAMED: &str = "
    const name = e => (e.getAttribute('aria-label') ?? e.textContent).replace(/\\s+/g, ' ').trim();
    const all = document.querySelectorAll('a, button, summary');
    return [...all].find(e => name(e) === arguments[0] && !e.disabled) ?? null";

/// Finds a field by its label.
const LABELLED: &str = "
    const label = [...document.querySelectorAll('label')].find(e => e.textContent.trim() === arguments[0]);
    return label?.control ?? null";

/// The titles in the section with this heading, as they are shown.
const SECTION: &str = "
    const heading = [...document.querySelectorAll('section h2')]
        .find(e => e.firstChild.textContent.trim() === arguments[0]);
    return heading && [...heading.closest('section').querySelectorAll('li .title')].map(e => e.textContent.trim())";

/// A page of the app in a browser.
pub struct Page {
    pub browser: Browser,
    site: String,
    marks: AtomicU32,
}

impl Page {
    /// A new browser, not yet at any page.
    pub async fn new(site: &str) -> Self {
        Self { browser: Browser::start().await, site: site.to_owned(), marks: AtomicU32::new(0) }
    }

    /// Types an address.
    pub async fn go(&self, path: &str) {
        let url = if path.starts_with('/') { format!("{}{path}", self.site) } else { path.to_owned() };
        self.browser.ask("/url", json!({ "url": url })).await.unwrap();
    }

    pub async fn reload(&self) {
        self.arrives(async { self.browser.ask("/refresh", json!({})).await.unwrap() }).await;
    }

    pub async fn back(&self) {
        self.arrives(async { self.browser.ask("/back", json!({})).await.unwrap() }).await;
    }

    /// The address without the host, as it would be kept as a bookmark.
    pub async fn address(&self) -> String {
        let url = self.browser.get("/url").await.unwrap();
        url.as_str().unwrap().strip_prefix(&self.site).expect("our own page").to_owned()
    }

    /// Writes a title into the box and presses the button beside it.
    pub async fn add(&self, title: &str) {
        self.write("New item", title).await;
        self.press("Add").await;
    }

    /// Clicks a button or a link that leads to a page, and waits for that page.
    pub async fn press(&self, name: &str) {
        self.arrives(self.click(name)).await;
    }

    /// Clicks a button or a link.
    pub async fn click(&self, name: &str) {
        let found = self.find(NAMED, name).await;
        self.browser.click(&found).await.unwrap_or_else(|error| panic!("clicking {name:?}: {error}"));
    }

    /// Clicks twice, so fast that both clicks are at the same page.
    pub async fn double_click(&self, name: &str) {
        let at = self.middle_of(name).await;
        let (down, up) = (json!({ "type": "pointerDown", "button": 0 }), json!({ "type": "pointerUp", "button": 0 }));
        let aim = json!({ "type": "pointerMove", "x": at[0], "y": at[1], "duration": 0 });
        // One command: between two of them, the driver would wait for the page that the first one leads to.
        let mouse = json!({
            "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" },
            "actions": [aim, &down, &up, &down, &up],
        });
        self.arrives(async { self.browser.ask("/actions", json!({ "actions": [mouse] })).await.unwrap() }).await;
    }

    /// Clicks twice, but so slowly that the answer to the first click is there before the second:
    /// the second click must not press the button that is under the mouse by then.
    pub async fn double_click_slowly(&self, name: &str) {
        let at = self.middle_of(name).await;
        self.arrives(self.mouse(&at, 1)).await;
        self.stands_still().await;
        let under_mouse = "return document.elementFromPoint(...arguments)?.closest('button') != null";
        self.waits_for("another button under the mouse", under_mouse, at.clone()).await;
        let watch = "
            window.second = 'on its way';
            document.addEventListener('submit', () => { window.second = 'sent'; });
            document.addEventListener('click', event => setTimeout(() => {
                if (window.second === 'sent') return;
                window.second = event.target.closest('button') ? 'ignored' : 'beside the button';
            }));";
        self.js(watch).await;
        self.mouse(&at, 2).await;
        // A page that nobody watches has come by the second click.
        let script = "return window.second ?? 'sent'";
        self.becomes("the second click", script, json!([]), json!("ignored")).await;
    }

    /// Presses and releases the mouse's button, for the first or the second time of a double click.
    async fn mouse(&self, at: &Value, count: u8) {
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": count });
            self.browser.cdp("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Waits until everything is where it stays: the style sheet is there, and one page has turned into the next.
    async fn stands_still(&self) {
        let still = "return document.readyState === 'complete' && document.getAnimations().length === 0
            && !document.activeViewTransition";
        self.waits_for("a page that stands still", still, json!([])).await;
    }

    /// Where a button is on the screen.
    async fn middle_of(&self, name: &str) -> Value {
        self.stands_still().await;
        let found = self.find(NAMED, name).await.as_value();
        let script = "
            arguments[0].scrollIntoView({ block: 'center' });
            const { x, y, width, height } = arguments[0].getBoundingClientRect();
            return [Math.round(x + width / 2), Math.round(y + height / 2)]";
        self.browser.run(script, json!([found])).await.unwrap()
    }

    /// Replaces what a field holds.
    pub async fn write(&self, label: &str, text: &str) {
        let field = self.find(LABELLED, label).await;
        self.browser.clear(&field).await.unwrap();
        self.browser.type_into(&field, text).await.unwrap();
    }

    /// Types keys one after the other, wherever the focus is.
    pub async fn keys(&self, keys: impl IntoIterator<Item = char>) {
        let key = |kind: &str, key: char| json!({ "type": kind, "value": key.to_string() });
        let actions: Vec<_> = keys.into_iter().flat_map(|k| [key("keyDown", k), key("keyUp", k)]).collect();
        self.perform_keys(actions).await;
    }

    /// Goes backwards with the Tab key.
    pub async fn tab_back(&self) {
        let key = |kind: &str, key: char| json!({ "type": kind, "value": key.to_string() });
        let actions = [key("keyDown", SHIFT), key("keyDown", TAB), key("keyUp", TAB), key("keyUp", SHIFT)];
        self.perform_keys(actions.into()).await;
    }

    async fn perform_keys(&self, actions: Vec<Value>) {
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.browser.ask("/actions", json!({ "actions": [keyboard] })).await.unwrap();
    }

    /// Does something that leads to another page, and waits until that page is there.
    pub async fn arrives<T>(&self, act: impl Future<Output = T>) {
        // A mark of its own: "back" may lead to a page that has an earlier one.
        let mark = json!(self.marks.fetch_add(1, Ordering::Relaxed));
        self.browser.run("window.mark = arguments[0]", json!([mark])).await.unwrap();
        act.await;
        let script = "return window.mark !== arguments[0] && document.readyState === 'complete'";
        self.waits_for("another page", script, json!([mark])).await;
    }

    /// Runs a function's body in the page.
    pub async fn js(&self, script: &str) -> Value {
        self.browser.run(script, json!([])).await.unwrap()
    }

    /// Waits until the section shows these titles, and no others, in this order.
    pub async fn shows(&self, section: &str, titles: &[&str]) {
        self.becomes(&format!("the section {section:?}"), SECTION, json!([section]), json!(titles)).await;
    }

    /// Waits until a sentence is on the page.
    pub async fn says(&self, sentence: &str) {
        let script = "return document.body.innerText.includes(arguments[0])";
        self.waits_for(&format!("the words {sentence:?}"), script, json!([sentence])).await;
    }

    /// Waits until the page no longer says it.
    pub async fn says_no_more(&self, sentence: &str) {
        let script = "return !document.body.innerText.includes(arguments[0])";
        self.waits_for(&format!("no word of {sentence:?}"), script, json!([sentence])).await;
    }

    /// Waits until a field holds a text.
    pub async fn holds(&self, label: &str, text: &str) {
        let script =
            format!("const field = (function () {{ {LABELLED} }}).apply(null, arguments); return field?.value");
        self.becomes(&format!("the field {label:?}"), &script, json!([label]), json!(text)).await;
    }

    /// Waits until a field has the focus.
    pub async fn is_in(&self, label: &str) {
        let script = "return document.activeElement.labels?.[0]?.textContent.trim() ?? null";
        self.becomes("the field with the focus", script, json!([]), json!(label)).await;
    }

    /// Waits until the focus is at an item, and the item can be seen.
    pub async fn is_at_item(&self, id: &str) {
        let script = "
            const { top, bottom } = document.activeElement.getBoundingClientRect();
            return top >= 0 && bottom <= innerHeight ? document.activeElement.id : null";
        self.becomes("what has the focus and is in sight", script, json!([]), json!(format!("item-{id}"))).await;
    }

    /// Waits until a script's result is this one.
    pub async fn becomes(&self, what: &str, script: &str, arguments: Value, wanted: Value) {
        let mut last = None;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            // A page that is just leaving answers with an error.
            let now = self.browser.run(script, arguments.clone()).await;
            if now.as_ref() == Ok(&wanted) {
                return;
            }
            last = Some(now);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.gives_up(&format!("{what} should be {wanted}"), last).await;
    }

    /// Waits until a script's result is true.
    pub async fn waits_for(&self, what: &str, script: &str, arguments: Value) {
        self.becomes(what, script, arguments, json!(true)).await;
    }

    /// What the browser's console holds besides remarks: errors, and what the
    /// Content-Security-Policy refused.
    pub async fn console(&self) -> String {
        let entries = self.browser.ask("/se/log", json!({ "type": "browser" })).await.unwrap();
        let matters = |entry: &&Value| {
            // Chromium drops a fade between two pages now and then, and says so as an error of nobody's.
            let faded = entry["message"].as_str().is_some_and(|text| text.contains("ViewTransition opt-in disabled"));
            entry["level"] != "INFO" && !faded
        };
        entries.as_array().unwrap().iter().filter(matters).map(|entry| format!("{entry}\n")).collect()
    }

    /// Pretends to be a device with a screen of this width.
    pub async fn is_wide(&self, width: u32, height: u32) {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.browser.cdp("Emulation.setDeviceMetricsOverride", screen).await;
    }

    /// Prefers `light` or `dark` pages.
    pub async fn prefers(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.browser.cdp("Emulation.setEmulatedMedia", features).await;
    }

    async fn find(&self, script: &str, name: &str) -> Element {
        let started = Instant::now();
        loop {
            let found = self.browser.run(script, json!([name])).await;
            if let Some(element) = found.as_ref().ok().and_then(Element::from_script) {
                return element;
            }
            if started.elapsed() > PATIENCE {
                self.gives_up(&format!("there should be {name:?}"), found).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn gives_up(&self, what: &str, last: impl Debug) -> ! {
        let page = self.browser.run("return location.href + '\\n' + document.body.innerText", json!([])).await;
        let page = page.map_or_else(|error| error, |text| text.as_str().unwrap_or_default().to_owned());
        panic!("{what}, but it is {last:?}\non this page: {page}");
    }
}
