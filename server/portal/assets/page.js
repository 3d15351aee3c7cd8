// What every page can do beyond HTML: times in the reader's zone, copy buttons, and showing a password.
"use strict";

const language = document.documentElement.lang;

// The reader's own variant of the page's language ("en-AU"), and the plainest one where the browser has none.
const variant = navigator.languages.find((l) => l.split("-")[0] === language && l.includes("-")) ?? { en: "en-GB", de: "de-DE" }[language];

// Times: the server writes UTC in words, with the exact instant in datetime and title.
function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    const style = "day" in time.dataset ? { dateStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" };
    time.textContent = new Intl.DateTimeFormat(variant, style).format(at);
  }
}

// Copy buttons appear only where they can work.
function offerCopy(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("button.copy[hidden]")) button.hidden = false;
}

function offerShow(root) {
  for (const button of root.querySelectorAll("button.show[hidden]")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("button.copy");
  if (copy) {
    const value = copy.parentElement.querySelector("[data-value], pre");
    try {
      await navigator.clipboard.writeText(value.dataset.value ?? value.textContent);
    } catch {
      return; // the browser refused; the text can still be selected
    }
    const said = document.getElementById("copied");
    said.textContent = "";
    said.textContent = said.dataset.said;
    copy.classList.add("copied");
    setTimeout(() => copy.classList.remove("copied"), 1500);
    return;
  }
  const show = event.target.closest("button.show");
  if (show) {
    const field = document.getElementById(show.dataset.shows);
    const shown = field.type === "password";
    field.type = shown ? "text" : "password";
    show.setAttribute("aria-pressed", String(shown));
    field.focus();
  }
});

// Opened by a link to a field inside a closed part, the part opens.
for (const link of document.querySelectorAll(".problem a[href^='#']")) {
  link.addEventListener("click", (event) => {
    const field = document.getElementById(link.hash.slice(1));
    if (!field) return;
    event.preventDefault();
    for (let part = field.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    field.focus();
  });
}

function prepare(root) {
  localise(root);
  offerCopy(root);
  offerShow(root);
}

prepare(document);
document.documentElement.classList.add("scripted");
document.addEventListener("htmx:afterSettle", (event) => prepare(event.detail.target.parentElement ?? document));
document.querySelector(".problem")?.focus();
