// What all tiles have: a figure or the reason why it is unknown, its change, its day and its course.

import { cellOf, ignoredNote, reasonOf } from "../context.js";
import { counted, joinSentences, writeChange, writeSpan } from "../format.js";

/** Build a tile; `good` is 1 if more is better, -1 if less is, 0 if neither. */
export function tileOf(
  context,
  { id, label, table, unit, value, before, note, day, why, spark, good = 1 },
) {
  const provisional = provisionalNote(context, table, day);
  return {
    id,
    label,
    currency: unit.name === "money" ? context.currency : null,
    ...cellOf(value, unit, why ?? reasonOf(context, table, context.period)),
    change: changeOf(context, { value: value, before, unit, good }),
    note: joinSentences(note, provisional, ignoredNote(context, table)),
    day: day ?? writeSpan(context.period),
    spark,
  };
}

function provisionalNote({ query, period }, table, day) {
  const covered = query.coverage(table);
  if (day || !covered) return null;
  const days = Math.min(period.to, covered.last) - Math.max(covered.lastFinal, period.from - 1);
  return days > 0 ? `${counted(days, "day")} provisional` : null;
}

/** The change against the period before, or a sentence on why there is none. */
function changeOf({ period, previous }, { value, before, unit, good }) {
  const current = before?.current ?? value;
  const former = before?.value ?? null;
  if (current === null || period.name === "all") return null;
  if (former === null) return { why: "There is no earlier period to compare with" };
  if (former === 0 && unit.name !== "share") return { why: "It was 0 in the period before" };
  const text = writeChange(current, former, unit);
  // What is written as no change has no direction.
  const direction = /[1-9]/.test(text) ? Math.sign(current - former) : 0;
  const span = before.span ?? writeSpan(previous);
  return {
    text,
    direction,
    tone: direction * good,
    title: `${unit.write(former)} in ${span}${before.until ? `; compared up to ${before.until}` : ""}`,
  };
}
