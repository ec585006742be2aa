/** What Serf tells at the end of a push/pull (wire/gossip.md §10.8). */
import type { UserEvents } from "./events.ts";
import type { LamportClock } from "./lamport.ts";
import type { LTime, PushPullState } from "./message.ts";
import type { Roster } from "./roster.ts";

interface Exchanged {
  readonly clock: LamportClock;
  readonly queryClock: LamportClock;
  readonly roster: Roster;
  readonly events: UserEvents;
}

export function exchangedState({ clock, queryClock, roster, events }: Exchanged): PushPullState {
  const statusLTimes = new Map<string, LTime>();
  const leftMembers: string[] = [];
  for (const member of roster.all()) {
    statusLTimes.set(member.name, member.statusLTime);
    if (member.status === "left") leftMembers.push(member.name);
  }
  return {
    lTime: clock.time(),
    statusLTimes,
    leftMembers,
    eventLTime: events.clock.time(),
    events: events.slots(),
    queryLTime: queryClock.time(),
  };
}
