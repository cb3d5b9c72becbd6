// In the development profile only: reloads this page when the app, a template or a static file changed, and
// shows what a failed build said.
const box = document.createElement("pre");
box.className = "build-error";
box.setAttribute("role", "alert");
let seen;
async function look() {
  try {
    const answer = await fetch("/development/state", { cache: "no-store" });
    const [state, ...error] = (await answer.text()).split("\n");
    if (answer.ok && seen && state !== seen) return location.reload();
    seen = state;
    box.textContent = error.join("\n");
    if (box.textContent.trim()) document.body.prepend(box); else box.remove();
  } catch { /* the app is being restarted: ask again */ }
  setTimeout(look, 400);
}
look();
