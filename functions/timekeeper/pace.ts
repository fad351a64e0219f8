/** So many rows are claimed at once while all is well. */
const MOST = 500;
/** How much more each time that Kafka has answered. */
const GROWTH = 8;

/**
 * How many due times are claimed at once. Where Kafka does not answer, a record may arrive for all that, and all that is due would be
 * published with every look: then one row of each table is tried until it answers. So an outage leaves a few records that come twice,
 * however long it lasts and whatever falls due in it, and what has fallen due fires as soon as it is over.
 */
export class Pace {
  #limit = MOST;

  get limit(): number {
    return this.#limit;
  }

  answered(): void {
    this.#limit = Math.min(this.#limit * GROWTH, MOST);
  }

  failed(): void {
    this.#limit = 1;
  }
}
