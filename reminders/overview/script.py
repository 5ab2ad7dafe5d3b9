"""What the page's forms do when they are sent: buttons ask the API, the search opens the page."""

SCRIPT = """
addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, { path, method, done, failed } = form.dataset;
  const given = new FormData(form);
  for (const [name, value] of [...given]) {
    if (value.trim()) given.set(name, value.trim()); else given.delete(name);
  }
  if (!path) { location.search = new URLSearchParams(given); return; }
  const button = form.querySelector("button"), said = form.querySelector("output");
  button.disabled = true;
  try {
    // Addresses with the key in them may be opened, not asked.
    const id = encodeURIComponent(given.get("event_id"));
    const url = new URL(path.replace("{event_id}", id), location.origin + location.pathname);
    const answer = await fetch(url, { method });
    said.textContent = answer.ok ? done : (await answer.json()).message;
    if (answer.ok) setTimeout(() => location.reload(), 900);
  } catch { said.textContent = failed; }
  button.disabled = false;
});
"""
"""The browser sends the key by itself, to our origin only, and asks nothing else."""
