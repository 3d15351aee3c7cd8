// The pick-up form: says that the key is being made, and goes on when the browser has begun to save the file. The
// server sets a cookie with the token of this form when it answers with the file.
"use strict";

const form = document.getElementById("pickup");
const making = document.getElementById("making");
const after = document.getElementById("after");
after.hidden = true; // until there is something to go on from

form.addEventListener("submit", () => {
  const token = form.elements.token.value;
  const button = form.querySelector("button[type=submit]");
  // After the form has been sent; a disabled button would not be.
  setTimeout(() => {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    making.textContent = form.dataset.busy;
    after.hidden = false;
  }, 0);
  const program = form.elements.program.value;
  const began = Date.now();
  const watch = setInterval(() => {
    if (document.cookie.split("; ").includes("chancery-picked-up=" + token)) {
      clearInterval(watch);
      const next = new URL(form.dataset.here, location.href);
      if (program) next.searchParams.set("program", program);
      setTimeout(() => location.assign(next), 600); // the download dialogue comes first
    } else if (Date.now() - began > 60000) {
      clearInterval(watch);
      button.disabled = false;
      button.removeAttribute("aria-busy");
      making.textContent = "";
    }
  }, 250);
});
