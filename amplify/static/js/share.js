// The share page: tells the server that a channel was opened where no form was sent (the device's share sheet, a copied
// link), keeps what was typed if the page is left and opened again, and draws the link's picture anew when typing rests.
// The page works without.

const form = document.querySelector("form[data-share]");
const words = form?.querySelector("textarea");

function record(event) {
  const name = event.target.dataset.record;
  if (!name) return;
  fetch(form.dataset.share + name, { method: "POST", body: new URLSearchParams(new FormData(form)), redirect: "manual", keepalive: true });
}

async function redraw(picture) {
  const body = new URLSearchParams({ words: words.value });
  const answer = await fetch(picture.dataset.card, { method: "POST", body }).catch(() => null);
  if (answer?.status !== 200) return;
  const reader = new FileReader();
  reader.onload = () => { picture.src = reader.result; picture.removeAttribute("data-old"); };
  reader.readAsDataURL(await answer.blob());
}

if (form) {
  form.addEventListener("shared", record);
  form.addEventListener("copied", record);
  // What others see first: the disclosure travels with the text into the share sheet too.
  const disclosure = document.querySelector("#disclosure strong")?.textContent;
  const sheet = form.querySelector("[data-web-share]");
  const full = Object.assign(document.createElement("textarea"), { id: "full-text", hidden: true, ariaHidden: "true" });
  const sync = () => { full.value = [disclosure, words.value].filter(Boolean).join("\n\n"); };
  if (sheet && words) {
    document.body.append(full);
    sheet.dataset.webShare = "#full-text";
    words.addEventListener("input", sync);
    sync();
  }
  if (words) {
    const key = `words:${words.dataset.saved}`;
    const kept = sessionStorage.getItem(key);
    if (kept && !words.hasAttribute("aria-invalid")) {
      words.value = kept;
      words.dispatchEvent(new Event("input", { bubbles: true }));
    }
    const picture = document.querySelector("[data-card]");
    let rest;
    words.addEventListener("input", () => {
      sessionStorage.setItem(key, words.value);
      picture?.setAttribute("data-old", "");
      clearTimeout(rest);
      rest = setTimeout(() => redraw(picture), 900);
    });
    if (kept && picture && kept !== words.defaultValue) redraw(picture);
  }
}

// Notifications: the browser asks only after a tap, and only where it can.
const bell = document.querySelector("[data-push]");

function bytes(text) {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(padded), (char) => char.charCodeAt(0));
}

async function subscribe() {
  const registration = await navigator.serviceWorker.register(bell.dataset.worker);
  const options = { userVisibleOnly: true, applicationServerKey: bytes(bell.dataset.key) };
  const subscription = await registration.pushManager.subscribe(options);
  const answer = await fetch(bell.dataset.push, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(subscription) });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
}

if (bell && "serviceWorker" in navigator && "PushManager" in window) {
  bell.hidden = false;
  bell.addEventListener("click", async () => {
    bell.disabled = true;
    const label = bell.querySelector("[data-label]");
    try {
      await subscribe();
      label.textContent = bell.dataset.done;
    } catch {
      label.textContent = bell.dataset.failed;
      bell.disabled = false;
    }
  });
}
