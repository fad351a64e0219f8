import { CorruptBatch } from './corrupt-batch.ts';

/** Of snappy-java, and so of every Java producer: this, two version numbers, then pieces with their lengths in front. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const XERIAL_HEADER_BYTES = 16;
/** A copy of 3 bytes gives 64 at most: a length beyond that is no length. */
const MOST_PER_BYTE = 64;

/**
 * Both ways in which producers write Snappy: as one block (franz-go, librdkafka), or as Java's framed pieces.
 * @throws CorruptBatch when it is neither, or more than `maxBytes` decoded
 */
export function decodeSnappy(input: Buffer, maxBytes: number): Buffer {
  if (!input.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return decodeBlock(input, maxBytes);
  const pieces: Buffer[] = [];
  let left = maxBytes;
  for (let at = XERIAL_HEADER_BYTES; at < input.length; ) {
    if (at + 4 > input.length) throw new CorruptBatch('Snappy: a piece has no length');
    const end = at + 4 + input.readUInt32BE(at);
    if (end > input.length) throw new CorruptBatch('Snappy: a piece is longer than the batch');
    const piece = decodeBlock(input.subarray(at + 4, end), left);
    pieces.push(piece);
    left -= piece.length;
    at = end;
  }
  return Buffer.concat(pieces);
}

/** Format: google/snappy, format_description.txt. */
function decodeBlock(input: Buffer, maxBytes: number): Buffer {
  const { length, next } = readLength(input);
  if (length > maxBytes) throw CorruptBatch.tooLarge('Snappy', maxBytes);
  if (length > input.length * MOST_PER_BYTE) throw new CorruptBatch('Snappy: its length cannot be true');
  const output = Buffer.allocUnsafe(length);
  let at = next;
  let written = 0;
  while (at < input.length) {
    const tag = input[at++] as number;
    const kind = tag & 3;
    let size = (tag >> 2) + 1;
    if (kind === 0) {
      if (size > 60) {
        const bytes = size - 60;
        size = littleEndian(input, at, bytes) + 1;
        at += bytes;
      }
      if (at + size > input.length || written + size > length)
        throw new CorruptBatch('Snappy: a literal is too long');
      input.copy(output, written, at, at + size);
      at += size;
    } else {
      const bytes = kind === 3 ? 4 : kind;
      let offset = littleEndian(input, at, bytes);
      at += bytes;
      if (kind === 1) {
        size = ((tag >> 2) & 7) + 4;
        offset |= (tag >> 5) << 8;
      }
      if (offset === 0 || offset > written || written + size > length)
        throw new CorruptBatch('Snappy: a copy leads out of what is there');
      copyWithin(output, written, offset, size);
    }
    written += size;
  }
  if (written !== length) throw new CorruptBatch(`Snappy: ${written} bytes, but ${length} were announced`);
  return output;
}

/** A copy may reach into itself: what it has just written is then repeated. */
export function copyWithin(output: Buffer, to: number, offset: number, size: number): void {
  if (offset >= size) output.copyWithin(to, to - offset, to - offset + size);
  else for (let index = to; index < to + size; index++) output[index] = output[index - offset] as number;
}

function readLength(input: Buffer): { length: number; next: number } {
  let length = 0;
  for (let index = 0; index < 5; index++) {
    const byte = input[index];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { length, next: index + 1 };
  }
  throw new CorruptBatch('Snappy: it does not begin with a length');
}

function littleEndian(input: Buffer, at: number, bytes: number): number {
  if (at + bytes > input.length) throw new CorruptBatch('Snappy: it ends in the middle');
  return input.readUIntLE(at, bytes);
}
