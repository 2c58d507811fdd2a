// Freshness: which months are loaded, when Amazon wrote them, and what could not be read.

import { textCell } from "../context.js";
import { dayOf } from "../data/calendar.js";
import { counted, joinSentences, listOf, writeCount, writeDay, writeMonth } from "../format.js";

const COUNTS = [
  ["Lines", "report_lines"],
  ["Withdrawn", "withdrawn_lines"],
  ["Rescued", "rescued_lines"],
  ["Unread", "unread_lines"],
];

export function freshness({ data, query }) {
  const table = data.tables.report_months;
  if (!table)
    return { empty: "Unknown: the warehouse has no mart amazon_appstore__report_months." };
  const rows = [...query.rowsOf("report_months")];
  if (!rows.length) return { empty: "No report has been loaded." };
  const reports = data.dimensions.report;
  rows.sort((a, b) => table.month[b] - table.month[a] || table.report[a] - table.report[b]);
  const severalAccounts = data.accounts.length > 1;
  return {
    summary: joinSentences(
      ...[...reports.keys()].map((report) =>
        reportSentence(
          table,
          rows.filter((row) => table.report[row] === report),
          reports[report],
        ),
      ),
      rescuedSentence(table, rows),
    ),
    table: {
      limit: 12,
      columns: [
        { label: "Month" },
        { label: "Report" },
        ...(severalAccounts ? [{ label: "Account" }] : []),
        { label: "Written by Amazon" },
        ...COUNTS.map(([label]) => ({ label, unit: "count" })),
        { label: "Final" },
      ],
      isSortable: true,
      rows: rows.map((row) => [
        textCell(writeMonth(table.month[row]), {
          value: table.report_period[row],
          sortBy: table.month[row],
        }),
        textCell(reports[table.report[row]]),
        ...(severalAccounts ? [textCell(data.accounts[table.account[row]].name)] : []),
        writtenCell(table.report_last_modified[row]),
        ...COUNTS.map(([, measure]) => countCell(table[measure][row])),
        textCell(table.is_final[row] ? "yes" : "not yet"),
      ]),
    },
  };
}

const countCell = (value) =>
  value === null
    ? { value, text: "—", why: "not counted" }
    : { value, text: writeCount(value), why: null };

const writtenCell = (text) =>
  text === null
    ? { value: null, text: "—", why: "Amazon’s response had no Last-Modified header" }
    : { value: text, text: writeDay(dayOf(text)), sortBy: text, why: null };

/** "sales: Jan 2018 to Jun 2024, without Mar 2020". */
function reportSentence(table, rows, name) {
  if (!rows.length) return null;
  const months = new Set(rows.map((row) => table.month[row]));
  const [first, last] = [Math.min(...months), Math.max(...months)];
  const missing = Array.from({ length: last - first + 1 }, (_, number) => first + number).filter(
    (month) => !months.has(month),
  );
  const span = first === last ? writeMonth(first) : `${writeMonth(first)} to ${writeMonth(last)}`;
  const gap =
    missing.length > 3 ? counted(missing.length, "month") : listOf(missing.map(writeMonth));
  return `${name[0].toUpperCase()}${name.slice(1)}: ${span}${missing.length ? `, without ${gap}` : ""}`;
}

function rescuedSentence(table, rows) {
  const rescued = rows.reduce((sum, row) => sum + (table.rescued_lines[row] ?? 0), 0);
  return rescued
    ? `${counted(rescued, "line")} with cells that did not fit their column (_rescued_data)`
    : "No cell had to be rescued";
}
