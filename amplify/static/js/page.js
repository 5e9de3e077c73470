// Small behaviours by data attribute, on top of pages that work without them. No dependency.
//   data-theme-switch               a button that goes light, dark, device (kept in a cookie, so the server knows before paint)
//   data-copy="#id" | "text"        copies a field's value, an element's text, or the text itself
//   data-web-share="#id"            the phone's own share sheet; text of #id, with data-url and data-title
//   data-mirror="#id"               what is typed here is shown there
//   data-count="280" [data-counter="#id"]   characters left, in people's characters, not in code units
//   data-confirm="Really?"          asks before a form is sent
//   data-autosubmit                 sends its form when changed (a filter)

const announcer = () => {
  let box = document.getElementById("said");
  if (!box) {
    box = Object.assign(document.createElement("div"), { id: "said", className: "only-read" });
    box.setAttribute("role", "status");
    document.body.append(box);
  }
  return box;
};

const textOf = (reference) => {
  if (!reference?.startsWith("#")) return reference ?? "";
  const source = document.querySelector(reference);
  return source?.value ?? source?.textContent?.trim() ?? "";
};

const graphemes = (text) => {
  if (!Intl.Segmenter) return [...text].length;
  let count = 0;
  for (const _ of new Intl.Segmenter(document.documentElement.lang).segment(text)) count += 1;
  return count;
};

function saidBy(button, text) {
  const label = button.querySelector("[data-label]") ?? button;
  if (!button.dataset.before) button.dataset.before = label.textContent;
  label.textContent = text;
  announcer().textContent = text;
  clearTimeout(button.timer);
  button.timer = setTimeout(() => { label.textContent = button.dataset.before; }, 2500);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without a secure context or permission: the old way, through a selection.
    const field = Object.assign(document.createElement("textarea"), { value: text, className: "only-read" });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

function switchTheme() {
  const root = document.documentElement;
  const now = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${root.dataset.theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  document.dispatchEvent(new CustomEvent("themechange"));
}

async function share(button) {
  const data = { text: textOf(button.dataset.webShare) };
  if (button.dataset.url) data.url = button.dataset.url;
  if (button.dataset.title) data.title = button.dataset.title;
  try {
    await navigator.share(data);
    button.dispatchEvent(new CustomEvent("shared", { bubbles: true }));
  } catch (error) {
    // Closing the sheet is an answer, not a failure.
    if (error.name !== "AbortError") saidBy(button, button.dataset.failed ?? button.textContent);
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-theme-switch], [data-copy], [data-web-share]");
  if (!button) return;
  if ("themeSwitch" in button.dataset) switchTheme();
  else if ("webShare" in button.dataset) {
    event.preventDefault();
    await share(button);
  } else {
    event.preventDefault();
    const done = await copy(textOf(button.dataset.copy));
    if (done) saidBy(button, button.dataset.done ?? "✓");
    if (done) button.dispatchEvent(new CustomEvent("copied", { bubbles: true }));
  }
});

function reflect(field) {
  if (field.dataset.mirror) {
    const target = document.querySelector(field.dataset.mirror);
    if (target) target.textContent = field.value.trim() || target.dataset.empty || "";
  }
  if (field.dataset.count) {
    const left = Number(field.dataset.count) - graphemes(field.value);
    const counter = document.querySelector(field.dataset.counter);
    if (counter) {
      counter.textContent = left;
      counter.toggleAttribute("data-over", left < 0);
    }
  }
}

document.addEventListener("input", (event) => reflect(event.target));

document.addEventListener("change", (event) => {
  if ("autosubmit" in (event.target.dataset ?? {})) event.target.form?.requestSubmit();
});

document.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

function prepare(root) {
  root.querySelectorAll("[data-theme-switch]").forEach((button) => { button.hidden = false; });
  root.querySelectorAll("[data-copy][hidden]").forEach((button) => { button.hidden = false; });
  if (navigator.share) root.querySelectorAll("[data-web-share][hidden]").forEach((button) => { button.hidden = false; });
  root.querySelectorAll("[data-mirror], [data-count]").forEach(reflect);
}

prepare(document);
document.addEventListener("htmx:load", (event) => prepare(event.target));
