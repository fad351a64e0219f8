import type { Json } from './json.ts';

/**
 * Sixteen hexadecimal digits that are the same for the same JSON and differ where it differs: of 64 bits, for telling apart what one
 * user gave, not for keeping anything from anybody. The order of keys counts for nothing: a value that was stored in between comes
 * back with another.
 */
export function jsonDigest(value: Json): string {
  const digest = new Digest();
  addJson(digest, value);
  return digest.toString();
}

/** Two lanes of 32 bits over UTF-16 units: FNV-1a, and one that shifts what FNV leaves in the low bits. */
class Digest {
  #low = 0x811c9dc5;
  #high = 0x9e3779b1;

  add(text: string): void {
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      low = Math.imul(low ^ unit, 0x01000193);
      high = Math.imul(high ^ (high >>> 15) ^ unit, 0x2c1b3c6d);
    }
    this.#low = low;
    this.#high = high;
  }

  toString(): string {
    // The last units have not come to all bits yet.
    const mixed = [this.#high ^ (this.#low >>> 16), this.#low ^ (this.#high >>> 13)].map((lane) =>
      Math.imul(lane ^ (lane >>> 16), 0x297a2d39),
    );
    return mixed.map((lane) => (lane >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

function addJson(digest: Digest, value: Json): void {
  if (typeof value !== 'object' || value === null) {
    digest.add(JSON.stringify(value));
    return;
  }
  if (Array.isArray(value)) {
    digest.add('[');
    for (const item of value as readonly Json[]) {
      addJson(digest, item);
      digest.add(',');
    }
    digest.add(']');
    return;
  }
  digest.add('{');
  for (const key of Object.keys(value).sort()) {
    digest.add(JSON.stringify(key));
    digest.add(':');
    addJson(digest, (value as Readonly<Record<string, Json>>)[key] as Json);
    digest.add(',');
  }
  digest.add('}');
}
