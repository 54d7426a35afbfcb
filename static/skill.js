// The page of a skill: the Test button says whether it saves first, counts while it runs, and stops.
"use strict";

(() => {
  // Without scripts all panes are shown, one below the other.
  for (const pane of document.querySelectorAll("[data-later]")) {
    pane.hidden = true;
    pane.removeAttribute("data-later");
  }
  const button = document.querySelector("[data-test]");
  if (!button) return;
  const { form } = button;
  const testing = form.querySelector("[data-testing]");
  const words = testing.querySelector("[role=status]");
  // What a save would keep: names that begin with an underscore are the test's own.
  const kept = () => JSON.stringify([...new FormData(form)].filter(([name]) => !name.startsWith("_")));
  const base = () => document.getElementById("base").value;
  let saved = form.querySelector("[value=discard]") ? "" : kept();
  let revision = base();
  let timer = 0;

  const label = () => { button.querySelector("span").textContent = kept() === saved ? "Test" : "Save and test"; };
  form.addEventListener("input", label);
  form.addEventListener("change", label);

  let sent = "";
  button.addEventListener("htmx:before:request", () => {
    const began = Date.now();
    sent = kept();
    const count = () => { words.textContent = `Running for ${Math.floor((Date.now() - began) / 1000)} s`; };
    count();
    timer = setInterval(count, 1000);
    testing.hidden = false;
    button.disabled = true;
  });
  button.addEventListener("htmx:finally:request", () => {
    clearInterval(timer);
    testing.hidden = true;
    button.disabled = false;
    button.focus({ preventScroll: true });
    if (base() !== revision || !document.querySelector("#said .callout")) saved = sent;
    revision = base();
    label();
    const wrong = document.querySelector(".try [aria-invalid=true]");
    if (wrong) wrong.focus();
    else document.querySelector("#said .callout, #tests > li")?.scrollIntoView({ block: "nearest" });
  });
  form.querySelector("[data-stop-test]").addEventListener("click", () => button.dispatchEvent(new Event("htmx:abort")));
  label();
})();
