// What ical.js makes of the calendar on standard input: each entry with its first occurrences, as JSON.
import { readFileSync } from "node:fs";

import ICAL from "ical.js";

const calendar = new ICAL.Component(ICAL.parse(readFileSync(0, "utf8")));
for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);

const instant = (time) => (time.isDate ? time.toString() : time.toJSDate().toISOString());

function told(entry) {
  const event = new ICAL.Event(entry);
  const times = [];
  const iterator = event.iterator();
  for (let next = iterator.next(); next && times.length < 8; next = iterator.next()) times.push(instant(next));
  return { uid: event.uid, summary: event.summary, sequence: event.sequence, times };
}

const events = calendar.getAllSubcomponents("vevent").map(told);
const todos = calendar.getAllSubcomponents("vtodo").map((entry) => ({
  uid: entry.getFirstPropertyValue("uid"),
  status: entry.getFirstPropertyValue("status"),
  due: entry.hasProperty("due") ? instant(entry.getFirstPropertyValue("due")) : null,
}));
process.stdout.write(JSON.stringify({ name: calendar.getFirstPropertyValue("name"), events, todos }));
