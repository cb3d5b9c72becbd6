// Everything works without this file; it only makes a few things nicer.

// "n" goes to the new-item box and "/" to the search, unless somebody is typing.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, textarea, select")) return;
  const field = event.key === "n" ? document.querySelector(".new [name=title]")
    : event.key === "/" ? document.querySelector(".search [name=q]") : null;
  if (!field) return;
  event.preventDefault(); // or the key itself would be typed into the field
  field.focus();
});

// The second half of a double click may find the next item's button under the mouse: it presses nothing.
document.addEventListener("click", (event) => {
  if (event.detail > 1 && event.target.closest("form[method=post] button")) event.preventDefault();
});

// A double click sends a form once. The buttons stay enabled: a disabled one would not send its value.
const sending = new Set();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (sending.has(form)) return event.preventDefault();
  sending.add(form);
  setTimeout(() => sending.delete(form), 8000); // somebody who stopped the page from loading may try again
});
window.addEventListener("pageshow", () => sending.clear()); // "Back" may bring this very page back
