/**
 * Memory for messages over TCP that are not whole yet, over all connections together: until the
 * last byte is there and a key has opened it, anybody may have sent it.
 *
 * A member's push/pull may be as large as memberlist allows, 20 MiB, and several may come at once.
 * Whoever has no member's address shares much less: who joins has little to tell. And a small
 * message finds its way beside any number of large ones.
 */
const MEMBERS_BYTES_MAX = 64 * 1024 * 1024;
const STRANGERS_BYTES_MAX = 4 * 1024 * 1024;
/** Of each connection, uncounted: with 127 connections 2 MiB. */
const FREE_BYTES = 16 * 1024;

export class UnprovenBytes {
  #members = 0;
  #strangers = 0;

  /** @param isMember asked once, and only by large messages */
  open(isMember: () => boolean): Share {
    let pool: "members" | "strangers" | undefined;
    let taken = 0;
    return {
      hold: (bytes) => {
        const wanted = Math.max(0, bytes - FREE_BYTES);
        if (wanted === 0 && taken === 0) return true;
        pool ??= isMember() ? "members" : "strangers";
        if (!this.#fits(pool, wanted - taken)) return false;
        taken = wanted;
        return true;
      },
    };
  }

  #fits(pool: "members" | "strangers", more: number): boolean {
    if (pool === "members") {
      if (more > 0 && this.#members + more > MEMBERS_BYTES_MAX) return false;
      this.#members += more;
    } else {
      if (more > 0 && this.#strangers + more > STRANGERS_BYTES_MAX) return false;
      this.#strangers += more;
    }
    return true;
  }
}

/** What one connection holds. */
interface Share {
  /** @param bytes from now on; 0: it is done. @returns false: there is no room */
  hold(bytes: number): boolean;
}
