import { CorruptBatch } from './corrupt-batch.ts';
import { copyWithin } from './snappy.ts';

const MAGIC = 0x184d2204;
const VERSION = 1;
const MIN_MATCH = 4;

interface Output {
  buffer: Buffer;
  written: number;
  readonly maxBytes: number;
}

/**
 * LZ4 frames, one after the other (LZ4 Frame Format 1.6). Checksums are passed over: Kafka has one over the whole batch, which the
 * broker has looked at, and old producers computed the header's wrongly.
 * @throws CorruptBatch when it is no such thing, or more than `maxBytes` decoded
 */
export function decodeLz4(input: Buffer, maxBytes: number): Buffer {
  const output: Output = {
    buffer: Buffer.allocUnsafe(Math.min(input.length * 4, maxBytes)),
    written: 0,
    maxBytes,
  };
  for (let at = 0; at < input.length; ) at = decodeFrame(input, at, output);
  return output.buffer.subarray(0, output.written);
}

/** @returns where the frame ends */
function decodeFrame(input: Buffer, begin: number, output: Output): number {
  if (begin + 7 > input.length || input.readUInt32LE(begin) !== MAGIC)
    throw new CorruptBatch('LZ4: it does not begin with a frame');
  const flags = input[begin + 4] as number;
  if (flags >> 6 !== VERSION) throw new CorruptBatch('LZ4: a frame of another version');
  const [hasBlockChecksum, hasSize, hasChecksum, hasDictionary] = [0x10, 0x08, 0x04, 0x01].map(
    (bit) => (flags & bit) !== 0,
  );
  if (hasDictionary) throw new CorruptBatch('LZ4: a dictionary is needed that is not there');
  // Magic, flags, the size of blocks, then the header's checksum.
  let at = begin + 4 + 2 + (hasSize ? 8 : 0) + 1;
  for (;;) {
    if (at + 4 > input.length) throw new CorruptBatch('LZ4: it ends in the middle');
    const head = input.readUInt32LE(at);
    at += 4;
    if (head === 0) break;
    const end = at + (head & 0x7fffffff);
    if (end > input.length) throw new CorruptBatch('LZ4: a block is longer than the batch');
    if (head >>> 31 === 1) append(output, input, at, end - at);
    else decodeBlock(input, at, end, output);
    at = end + (hasBlockChecksum ? 4 : 0);
  }
  return at + (hasChecksum ? 4 : 0);
}

/** LZ4 Block Format. Blocks may lean on those before them, whose bytes are in front of theirs. */
function decodeBlock(input: Buffer, begin: number, end: number, output: Output): void {
  let at = begin;
  const extended = (length: number): number => {
    let sum = length;
    for (let byte = 255; byte === 255; at++) {
      if (at >= end) throw new CorruptBatch('LZ4: a block ends in the middle');
      byte = input[at] as number;
      sum += byte;
    }
    return sum;
  };
  while (at < end) {
    const token = input[at++] as number;
    const literals = token >> 4 === 15 ? extended(15) : token >> 4;
    if (at + literals > end) throw new CorruptBatch('LZ4: a literal is too long');
    append(output, input, at, literals);
    at += literals;
    // The last sequence is literals alone.
    if (at === end) return;
    if (at + 2 > end) throw new CorruptBatch('LZ4: a block ends in the middle');
    const offset = input.readUInt16LE(at);
    at += 2;
    const size = ((token & 15) === 15 ? extended(15) : token & 15) + MIN_MATCH;
    if (offset === 0 || offset > output.written)
      throw new CorruptBatch('LZ4: a copy leads out of what is there');
    makeRoom(output, size);
    copyWithin(output.buffer, output.written, offset, size);
    output.written += size;
  }
}

function append(output: Output, input: Buffer, at: number, size: number): void {
  makeRoom(output, size);
  input.copy(output.buffer, output.written, at, at + size);
  output.written += size;
}

function makeRoom(output: Output, size: number): void {
  const needed = output.written + size;
  if (needed <= output.buffer.length) return;
  if (needed > output.maxBytes) throw CorruptBatch.tooLarge('LZ4', output.maxBytes);
  const grown = Buffer.allocUnsafe(Math.min(Math.max(needed, output.buffer.length * 2), output.maxBytes));
  output.buffer.copy(grown, 0, 0, output.written);
  output.buffer = grown;
}
