//! What hostile people try: texts that are no mere texts, and pages of their own.

use rocket::http::RawStr;
use rocket::serde::json::{Value, from_value, json};
use rocket::tokio::io::{AsyncReadExt, AsyncWriteExt};
use rocket::tokio::net::TcpListener;

use crate::app::{App, item};
use crate::page::Page;

/// Texts that would do something on a page that took them for more than texts. The first fits into
/// the message about a date, which repeats no more than 20 characters.
const HOSTILE: [&str; 30] = [
    "<svg onload=ran=1>",
    "<script>window.ran=1</script>",
    "<ScRiPt/src=data:,window.ran=1></sCrIpT >",
    "<scr\u{200b}ipt>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    "<video><source onerror=window.ran=1></video>",
    "<svg><animate onbegin=window.ran=1 attributeName=x></svg>",
    "<details open ontoggle=window.ran=1>",
    "<input autofocus onfocus=alert(window.ran=1)>",
    "<a href=javascript:window.ran=1>Buy milk</a>",
    "javascript:window.ran=1//",
    "\" autofocus onfocus=\"window.ran=1",
    "' autofocus onfocus='window.ran=1",
    "` autofocus onfocus=`window.ran=1",
    "\"'`><script>window.ran=1</script>",
    "</textarea><script>window.ran=1</script>",
    "</title><script>window.ran=1</script>",
    "</script><script>window.ran=1</script>",
    "--><script>window.ran=1</script><!--",
    "<base href=http://127.0.0.1:9/>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "<link rel=stylesheet href=//127.0.0.1:9/x.css><style>@import '//127.0.0.1:9/x.css'</style>",
    "<form action=http://127.0.0.1:9/><button>Add</button></form>",
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<object data=\"data:text/html,<script>parent.ran=1</script>\"></object>",
    "&lt;script&gt;window.ran=1&lt;/script&gt; &#60;img src=x onerror=window.ran=1&#62;",
    "%3Cscript%3Ewindow.ran=1%3C/script%3E",
    "\u{ff1c}script\u{ff1e}window.ran=1\u{ff1c}/script\u{ff1e}",
    "{{7*7}} {{ '<script>window.ran=1</script>'|safe }}",
    "{% raw %}<script>window.ran=1</script>{% endraw %}{% include 'error' %}",
];

/// What a page is made of: its elements, their attributes, the sites that they lead to, and whether a
/// script of somebody's ran. No text can change it, other than one that is taken for more.
const MADE_OF: &str = "
    const site = address => URL.canParse(address, location) ? new URL(address, location).origin : 'nowhere';
    const attribute = ({ name, value }) =>
        ['href', 'src', 'action', 'formaction'].includes(name) ? `${name} to ${site(value)}` : name;
    const madeOf = page => [...page.querySelectorAll('*')]
        .map(e => [e.localName, ...[...e.attributes].map(attribute)].join(' '))
        .concat(window.ran === undefined ? [] : ['a script that ran']);";

/// Gives those of some texts that no careless page would be harmed by.
const HARMLESS_ANYWHERE: &str = "
    const parsed = html => new DOMParser().parseFromString(html, 'text/html');
    const careless = [
        text => `<p>${text}`,
        text => `<input value=\"${text}\">`,
        text => `<input value='${text}'>`,
        text => `<input value=${text}>`,
        text => `<a href=\"${text}\">`,
        text => `<textarea>${text}</textarea>`,
        text => `<title>${text}</title>`,
        text => `<script>const q = \"${text}\"</script>`,
        text => `<!-- ${text} -->`,
        text => parsed(text).documentElement.textContent,
        text => unescape(text),
        text => text.normalize('NFKC'),
        text => text.replace(/{{.*?}}|{%.*?%}/g, '<b>evaluated</b>'),
    ];
    const harm = text => careless.some(page =>
        madeOf(parsed(page(text))).join() !== madeOf(parsed(page('harmless'))).join());
    return arguments[0].filter(text => !harm(text))";

/// Fills in a form as a person cannot: line breaks where there is one line, and no date for a date.
const FILL: &str = "
    for (const [name, text] of Object.entries(arguments[0])) {
        const field = document.querySelector(`main [name=${name}]`);
        if (field.type !== 'textarea') field.type = 'hidden';
        field.value = text;
    }";

impl Page {
    async fn made_of(&self) -> Vec<String> {
        from_value(self.js(&format!("{MADE_OF} return madeOf(document)")).await).unwrap()
    }

    async fn fill(&self, fields: Value) {
        self.browser.run(FILL, json!([fields])).await.unwrap();
    }

    /// Waits until these elements, in this order, have these texts and no others.
    async fn has_texts(&self, selector: &str, texts: Value) {
        let script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)";
        self.becomes(selector, script, json!([selector]), texts).await;
    }
}

/// Titles that have all these texts, as many in each as fit: a page takes long, a text does not.
fn titles(texts: &[&str]) -> Vec<String> {
    let mut titles = vec![String::new()];
    for text in texts {
        let last = titles.last_mut().unwrap();
        if last.chars().count() + text.chars().count() < 200 {
            *last = format!("{last} {text}").trim().to_owned();
        } else {
            titles.push((*text).to_owned());
        }
    }
    titles
}

/// Brings texts to every place where a text can get, sees that they are there as they were written, and
/// gives what each page is made of. The last item gets all of them, and each of the others gets one.
async fn tour(app: &App, page: &Page, ids: &[String], texts: &[String]) -> Vec<(String, Vec<String>)> {
    let (last, others) = ids.split_last().unwrap();
    let (first, all) = (&texts[0], texts.join("\n"));
    for (id, text) in others.iter().zip(texts) {
        app.change(id, json!({ "title": text, "description": text })).await;
    }
    app.change(last, json!({ "title": first, "description": all })).await;
    let mut seen = Vec::new();
    let mut sees = async |what: &str| seen.push((what.to_owned(), page.made_of().await));

    page.go("/").await;
    page.has_texts(".todo .title", json!(texts)).await;
    page.has_texts(".todo .description", json!(texts)).await;
    page.has_texts(".doing .description", json!([all])).await;
    sees("the list").await;

    for text in texts {
        page.go(&format!("/?q={}", RawStr::new(text).percent_encode())).await;
        page.has_texts(".todo .title", json!([text])).await;
        page.has_texts("title", json!([format!("{text} – To-Do")])).await;
        page.has_texts(".found bdi", json!([text])).await;
        page.holds("Search", text).await;
        sees(&format!("the search for {text}")).await;
        page.press(text).await;
        page.holds("Title", text).await;
        page.holds("Description", text).await;
        sees(&format!("the item {text}")).await;
        page.press("Delete").await;
        page.has_texts(".notice p", json!([format!("Deleted “{text}”.")])).await;
        sees(&format!("the list without {text}")).await;
        page.press("Undo").await;
    }

    // What is refused is shown again. A NUL is refused everywhere; a page shows it as U+FFFD.
    let item = format!("/items/{last}");
    let refused = format!("{}<scr\0ipt>window.ran=1</scr\0ipt>", texts.join(" "));
    let shown = refused.replace('\0', "\u{fffd}");
    for (path, title, button) in [("/", "New item", "Add"), (item.as_str(), "Title", "Save")] {
        page.go(path).await;
        page.fill(json!({ "title": refused, "description": refused, "due": refused })).await;
        page.press(button).await;
        let due: String = refused.chars().take(20).collect();
        page.has_texts("#due-error", json!([format!("The due date “{due}” is no calendar date such as 2026-01-31.")]))
            .await;
        page.holds(title, &shown).await;
        page.holds("Description", &shown).await;
        sees(&format!("what {button} refused")).await;
    }

    page.go(&item).await;
    app.change(last, json!({ "due": null })).await;
    page.fill(json!({ "title": first, "description": all })).await;
    page.press("Save").await;
    page.has_texts(".conflict [dir=auto]", json!([first, all])).await;
    sees("the conflict").await;

    let all = RawStr::new(&all).percent_encode();
    let query = format!("?status={all}&q={all}&older={all}&after={all}&undo={all}&{all}={all}");
    for path in [
        &format!("/{query}"),
        &format!("{item}{query}"),
        &format!("/items/{all}{query}"),
        &format!("/{all}"),
        &format!("/api/todos/{all}"),
        &format!("/api/todos{query}"),
        "/api/todos",
    ] {
        page.go(path).await;
        sees(path).await;
    }
    seen
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn a_text_is_never_taken_for_more_wherever_it_gets() {
    let app = App::start();
    let hostile = titles(&HOSTILE);
    // None of them is a part of another, which a search would find, too.
    let harmless: Vec<_> = (10..).map(|number| format!("Harmless {number}")).take(hostile.len()).collect();
    let [last] = app.has([item("doing", "All")]).await;
    let mut ids = Vec::new();
    for title in &harmless {
        ids.extend(app.has([item("todo", title)]).await);
    }
    ids.push(last);
    let page = app.browse().await;
    let of_harmless = tour(&app, &page, &ids, &harmless).await;
    let of_hostile = tour(&app, &page, &ids, &hostile).await;
    for ((_, harmless), (what, hostile)) in of_harmless.iter().zip(&of_hostile) {
        let odd: Vec<_> = hostile.iter().filter(|part| !harmless.contains(part)).collect();
        assert!(hostile == harmless, "on {what}: {odd:?}");
    }
    // Even what slipped through would be stopped by the policy, and would be told here.
    let console = page.console().await;
    assert!(!console.contains("Content Security Policy"), "{console}");
    // Nothing does, as is seen without the policy.
    page.browser.cdp("Page.setBypassCSP", json!({ "enabled": true })).await;
    page.go("/").await;
    assert_eq!(page.made_of().await, of_harmless[0].1);
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn what_a_careless_page_would_make_of_a_text_would_be_seen() {
    let app = App::start();
    let page = app.browse().await;
    let harmless_anywhere = page.browser.run(&format!("{MADE_OF} {HARMLESS_ANYWHERE}"), json!([HOSTILE])).await;
    assert_eq!(harmless_anywhere, Ok(json!([])));
    let image = "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.ran=1>')";
    page.js(image).await;
    let console = page.console().await;
    assert!(console.contains("Content Security Policy"), "{console}");
    page.browser.cdp("Page.setBypassCSP", json!({ "enabled": true })).await;
    page.reload().await;
    page.js(image).await;
    page.waits_for("a script that ran", "return window.ran === 1", json!([])).await;
    let made_of = page.made_of().await;
    assert_eq!(made_of[made_of.len() - 2..], [&format!("img src to {} onerror", app.url("")), "a script that ran"]);
}

/// Another site on a port of its own: whatever is asked, the answer is the same page. It has no policy,
/// other than that `/sandboxed` is of no origin.
async fn other_site() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A browser may keep a connection on which it asks nothing, and others must not wait for it.
            tokio::spawn(async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await?);
                }
                let page = "<!doctype html><title>Win a prize</title><body>Press here to win";
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close";
                let sandboxed = request.starts_with(b"GET /sandboxed ");
                let policy = if sandboxed { "sandbox allow-forms allow-scripts" } else { "" };
                let answer = format!("{head}\r\nContent-Security-Policy: {policy}\r\n\r\n{page}");
                stream.write_all(answer.as_bytes()).await
            });
        }
    });
    port
}

/// Sends a form as if somebody had pressed its button.
const SEND: &str = "
    const [action, body] = arguments;
    const form = document.createElement('form');
    Object.assign(form, { method: 'post', action });
    for (const [name, value] of new URLSearchParams(body)) {
        form.append(Object.assign(document.createElement('input'), { name, value }));
    }
    document.body.append(form);
    form.submit()";

/// Sends a request, and tells what a page learns of the answer.
const FETCH: &str = "
    const [method, url, mode, type, body] = arguments;
    const init = { method, mode, credentials: 'include', ...(body && { body, headers: { 'Content-Type': type } }) };
    return fetch(url, init).then(answer => `${answer.type} ${answer.ok}`, () => 'failed')";

/// Shows an address as an image, and tells whether it was one.
const IMAGE: &str = "
    const image = document.body.appendChild(document.createElement('img'));
    image.src = arguments[0];
    return image.decode().then(() => 'an image', () => 'no image')";

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn no_page_of_another_site_changes_or_reads_the_list() {
    let app = App::start();
    let milk_to_gone = ["Buy milk", "Call Ada", "Paint", "Gone"].map(|title| item("todo", title));
    let [milk, ada, paint, _] = app.has(milk_to_gone).await;
    app.change(&paint, json!({ "status": "done" })).await;
    let page = app.browse().await;
    page.press("Delete: Gone").await;
    let deletion = page.address().await.split_once("undo=").unwrap().1.to_owned();
    page.press("Buy milk").await;
    let version = page.js("return document.querySelector('[name=version]').value").await;
    let version = version.as_str().unwrap();

    let (form, json) = ("application/x-www-form-urlencoded", "application/json");
    // In this order, each would still find something to change.
    let requests = [
        ("POST", "/items".to_owned(), form, "title=Theirs".to_owned()),
        ("POST", format!("/items/{milk}"), form, format!("title=Theirs&version={version}")),
        ("POST", format!("/items/{milk}/status"), form, "status=doing".to_owned()),
        ("POST", format!("/items/{milk}/place"), form, format!("after={ada}")),
        ("POST", format!("/items/{milk}/delete"), form, String::new()),
        ("POST", "/done/clear".to_owned(), form, String::new()),
        ("POST", format!("/deletions/{deletion}/restore"), form, String::new()),
        ("PATCH", format!("/api/todos/{ada}"), json, r#"{ "title": "Theirs" }"#.to_owned()),
        ("DELETE", format!("/api/todos/{ada}"), json, String::new()),
        ("POST", "/api/todos".to_owned(), form, "_method=DELETE".to_owned()),
        // Where the page may not say that it is JSON (`no-cors`), it says that it is `text/plain`.
        ("POST", "/api/todos".to_owned(), json, r#"{ "title": "Theirs" }"#.to_owned()),
        ("DELETE", "/api/todos".to_owned(), json, String::new()),
    ];
    let mut list = app.everything().await;
    let port = other_site().await;
    // Another origin of the same site, another site, and a page of no origin.
    for (host, page_of) in [("127.0.0.1", ""), ("localhost", ""), ("127.0.0.1", "sandboxed")] {
        let site = &format!("http://{host}:{port}/{page_of}");
        for (method, path, kind, body) in &requests {
            page.go(site).await;
            let url = app.url(path);
            assert_eq!(page.browser.run(IMAGE, json!([url])).await, Ok(json!("no image")), "{url}");
            for mode in ["cors", "no-cors"] {
                let learnt = page.browser.run(FETCH, json!([method, url, mode, kind, body])).await.unwrap();
                // What is asked without leave is asked, but the answer cannot be read.
                let wanted = if mode == "no-cors" && *method == "POST" { "opaque false" } else { "failed" };
                assert_eq!(learnt, wanted, "{method} {url} by {mode} from {site}");
            }
            assert_eq!(app.everything().await, list, "{method} {url} from {site}");
            if *kind == form {
                page.arrives(async { page.browser.run(SEND, json!([url, body])).await.unwrap() }).await;
                assert_eq!(app.everything().await, list, "a form to {url} from {site}");
                page.says("Only this site's own pages may change the list.").await;
            }
        }
        page.go(site).await;
        let learnt = page.browser.run(FETCH, json!(["GET", app.url("/api/todos"), "cors"])).await;
        assert_eq!(learnt, Ok(json!("failed")), "{site}");
    }

    // On a page of ours, the very same requests do it all.
    page.go("/").await;
    for (method, path, kind, body) in &requests {
        let learnt = page.browser.run(FETCH, json!([method, app.url(path), "cors", kind, body])).await;
        assert_eq!(learnt, Ok(json!("basic true")), "{method} {path}");
        let before = std::mem::replace(&mut list, app.everything().await);
        assert_ne!(list, before, "{method} {path}");
    }
}

#[tokio::test]
#[ignore = "needs Chromium and chromedriver"]
async fn no_page_of_ours_is_shown_in_a_frame_of_another_site() {
    let app = App::start();
    let [milk] = app.has([item("todo", "Buy milk")]).await;
    let port = other_site().await;
    let page = Page::new(&app.url("")).await;
    let sites = [format!("http://127.0.0.1:{port}/"), format!("http://localhost:{port}/")];
    let frame = "
        const frame = document.body.appendChild(document.createElement('iframe'));
        return new Promise(loaded => { frame.onload = () => loaded(frame); frame.src = arguments[0]; })";
    let shown = async |framed: &str| {
        let frame = page.browser.run(frame, json!([framed])).await.unwrap();
        page.browser.ask("/frame", json!({ "id": frame })).await.unwrap();
        let shown = page.js("return [location.origin + '/', document.body.innerText]").await;
        page.browser.ask("/frame", json!({ "id": null })).await.unwrap();
        shown
    };
    for site in &sites {
        page.go(site).await;
        // A page that does not forbid it is shown.
        for framed in &sites {
            assert_eq!(shown(framed).await, json!([framed, "Press here to win"]));
        }
        assert_eq!(page.console().await, "");
        for path in ["/", &format!("/items/{milk}"), "/nowhere", "/api/todos"] {
            let shown = shown(&app.url(path)).await;
            assert!(!shown.to_string().contains("Buy milk") && shown[0] != app.url("/"), "{path}: {shown}");
            let console = page.console().await;
            assert!(console.contains("frame-ancestors 'none'"), "{path}: {console}");
        }
    }
}
