// Keys for the page of adjudication. The form works without them.
"use strict";
(() => {
  const form = document.getElementById("judge");
  if (!form) return;
  const clip = document.getElementById("clip");
  const reference = document.getElementById("reference");
  const choices = form.querySelectorAll("input[name=choice]");
  const button = (action) => form.querySelector(`button[value=${action}]`);

  const play = (fromStart) => {
    if (!clip) return;
    if (fromStart) clip.currentTime = 0;
    if (clip.paused || fromStart) clip.play().catch(() => {});
    else clip.pause();
  };

  document.addEventListener("keydown", (event) => {
    const inText = event.target === reference;
    if (inText && event.key === "Escape") return reference.blur();
    if (event.key === "Enter" && inText && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      return form.requestSubmit(button("submit"));
    }
    if (inText || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const onControl = event.target.closest("a, button, audio, select, summary");
    const key = event.key.toLowerCase();
    if (key >= "1" && key <= "5") {
      const choice = choices[Number(key) - 1];
      choice.checked = true;
      choice.focus();
    } else if (key === "p") play(false);
    else if (key === "r") play(true);
    else if (key === "e") reference.focus();
    else if (key === "s") form.requestSubmit(button("skip"));
    else if (key === "enter" && !onControl) form.requestSubmit(button("submit"));
    else return;
    event.preventDefault();
  });
})();
