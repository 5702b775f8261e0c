// Cells of numbers to the right, cells of words to the left; a heading goes with the column below it.
const isNumber = (cell) => /\d/.test(cell.textContent) && /^[\d\s.,:%±+\-−–×e[\]()]+$/.test(cell.textContent.trim());
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("article table")) {
    const rows = [...table.rows];
    const last = rows.length ? [...rows[rows.length - 1].cells] : [];
    for (const row of rows) {
      const cells = [...row.cells];
      cells.forEach((cell, place) => {
        const below = last[last.length - cells.length + place];
        const number = cell.closest("thead") && below ? isNumber(below) : isNumber(cell);
        cell.classList.add(number ? "number" : "word");
      });
    }
  }
});
