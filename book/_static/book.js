// Tables: numbers to the right, words to the left, a heading as the column below it; short words stay on
// one line; the first cell of every whole row stays in sight while the others scroll.
const isNumber = (text) => /\d/.test(text) && /^[\d\s.,:%±+\-−–×e[\]()]+$/.test(text);
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("article table")) {
    const rows = [...table.rows].map((row) => [...row.cells]);
    const last = rows.at(-1) ?? [];
    const whole = Math.max(...rows.map((cells) => cells.length));
    for (const cells of rows) {
      cells.forEach((cell, place) => {
        const below = last[last.length - cells.length + place];
        const text = (cell.closest("thead") && below ? below : cell).textContent.trim();
        cell.classList.add(isNumber(text) ? "number" : "word");
        if (cell.textContent.trim().length < 24) cell.classList.add("short");
      });
      if (cells.length === whole && whole > 1) cells[0].classList.add("first");
    }
  }
});
