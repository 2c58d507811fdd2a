// Tables as text: CSV to download, tab-separated values to copy.

// A spreadsheet runs a cell that begins with one of these as a formula.
const FORMULA = /^[=+\-@\t\r]/;

/** A cell's text; unknown is empty. Text that a spreadsheet would run gets an apostrophe in front. */
export function exportCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return `${value}`;
  const text = String(value);
  return FORMULA.test(text.trimStart()) || FORMULA.test(text) ? `'${text}` : text;
}

const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export const toCsv = (rows) =>
  rows.map((row) => `${row.map((cell) => quote(exportCell(cell))).join(",")}\r\n`).join("");

export const toTabs = (rows) =>
  rows
    .map((row) => row.map((cell) => exportCell(cell).replace(/[\t\r\n]+/g, " ")).join("\t"))
    .join("\n");

/** Let the reader save a CSV file; the byte order mark lets spreadsheets see that it is UTF-8. */
export function downloadCsv(name, rows) {
  const url = URL.createObjectURL(new Blob(["\ufeff", toCsv(rows)], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: `${name}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Copy rows to the clipboard; returns whether the browser let it. */
export async function copyRows(rows) {
  try {
    await navigator.clipboard.writeText(toTabs(rows));
    return true;
  } catch {
    return false;
  }
}
