import fc from 'fast-check';
import { CompressionCodecs, CompressionTypes } from 'kafkajs';
import { afterAll, describe, expect, it } from 'vitest';
import { registerCodecs } from '../../../shared/kafka/compression/codecs.ts';
import { CorruptBatch } from '../../../shared/kafka/compression/corrupt-batch.ts';
import { decodeLz4 } from '../../../shared/kafka/compression/lz4.ts';
import { decodeSnappy } from '../../../shared/kafka/compression/snappy.ts';

const bytes = (base64: string) => Buffer.from(base64, 'base64');

const results = Buffer.from(
  [0, 1, 4, 9]
    .map(
      (n, index) =>
        `{"step_id":"s${index}","message_type":"step_result","status":"COMPLETED","data":{"n":${n}}}\n`,
    )
    .join(''),
);
/** Copies that reach into themselves, and a literal of 218 bytes, whose length has a byte of its own. */
const patterns = Buffer.concat([
  Buffer.alloc(300, 'a'),
  Buffer.from(Array.from({ length: 200 }, (_, byte) => byte)),
  Buffer.alloc(100, 'ab'),
]);

// As the reference libraries write them (libsnappy, liblz4 with linked blocks, checksums and the size in front, libzstd).
const written = {
  results: {
    snappy: bytes(
      'yAJ4eyJzdGVwX2lkIjoiczAiLCJtZXNzYWdlX3R5cGUiOgkesHJlc3VsdCIsInN0YXR1cyI6IkNPTVBMRVRFRCIsImRhdGEiOnsibiI6MH19CjJSAAQxIvpSAAQxfTpSAAAy/lIAADQ+UgAAM/5SAAw5fX0K',
    ),
    lz4: bytes(
      'BCJNGHxASAEAAAAAAAA/cgAAAPAOeyJzdGVwX2lkIjoiczAiLCJtZXNzYWdlX3R5cGUUAAAeAPkecmVzdWx0Iiwic3RhdHVzIjoiQ09NUExFVEVEIiwiZGF0YSI6eyJuIjowfX0KUgAfMVIALRwxUgAfMlIALRw0UgAfM1IALFA6OX19Ckd/acIAAAAAGeCOug==',
    ),
    zstd: bytes(
      'KLUv/WBIAC0DADJFExtwaXVUrwnsQKKeQ6JTgXi76gZz/4+6VH3uEgKmOzkQIyXTjfCJP3xysp8viqAAg4BAOX4dJ+/P+eBWFdoWvLSQu4r4OdrjmWE15f0LCAAFkgDkCiQGEClIt1W4CipsF0wn',
    ),
  },
  patterns: {
    snappy: bytes(
      '2AQAYf4BAP4BAP4BAP4BAKoBAPDXAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TFxsdhYmFiYWJhYmFiYWJhYmFi/g4ATg4A',
    ),
    lz4: bytes(
      'BCJNGHxAWAIAAAAAAABK3wAAAB9hAQD/Gf+/AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TFxsdhYmFiYWIGAEZQYmFiYWJUZVuoAAAAAA2GLr0=',
    ),
    zstd: bytes(
      'KLUv/WBYAb0GAMQMYWEAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl9gYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoOEhYaHiImKi4yNjo+QkZKTlJWWl5iZmpucnZ6foKGio6SlpqeoqaqrrK2ur7CxsrO0tba3uLm6u7y9vr/AwcLDxMXGx2FiAgDKz03yRAVY',
    ),
  },
};
const none = { snappy: bytes('AA=='), lz4: bytes('BCJNGHRAvQAAAAAFXcwC'), zstd: bytes('KLUv/SAAAQAA') };

const codecs = {
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
} as const;
const decode = (name: keyof typeof codecs, input: Buffer, maxBytes?: number): Promise<Buffer> => {
  registerCodecs(maxBytes);
  return CompressionCodecs[codecs[name]]().decompress(input);
};
afterAll(() => registerCodecs());

describe('what producers compress', () => {
  it.each(['snappy', 'lz4', 'zstd'] as const)('is read where it is %s', async (codec) => {
    expect((await decode(codec, written.results[codec])).toString()).toBe(results.toString());
    expect(await decode(codec, written.patterns[codec])).toEqual(patterns);
    expect(await decode(codec, none[codec])).toHaveLength(0);
  });

  it('is read in the pieces that Java makes of Snappy', async () => {
    const piece = (block: Buffer) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(block.length);
      return Buffer.concat([length, block]);
    };
    const header = Buffer.from([0x82, ...Buffer.from('SNAPPY'), 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    const { snappy } = written.results;
    const framed = Buffer.concat([header, piece(snappy), piece(none.snappy), piece(written.patterns.snappy)]);
    expect(decodeSnappy(framed, 1_000)).toEqual(Buffer.concat([results, patterns]));
    expect(decodeSnappy(header, 1_000)).toHaveLength(0);
    const longest = results.length + patterns.length;
    expect(() => decodeSnappy(framed, longest - 1)).toThrow('more than');
    expect(() => decodeSnappy(framed.subarray(0, -1), 1_000)).toThrow('a piece is longer than the batch');
  });

  it('is read from LZ4 frames that follow each other, and from blocks that are not compressed', async () => {
    const { lz4 } = written.results;
    expect(decodeLz4(Buffer.concat([lz4, lz4]), 1_000)).toEqual(Buffer.concat([results, results]));
    const stored = Buffer.concat([
      Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 3, 0, 0, 0x80]),
      Buffer.from('abc'),
      Buffer.alloc(4),
    ]);
    expect(decodeLz4(stored, 3).toString()).toBe('abc');
  });
});

describe('what nobody can have meant', () => {
  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('is refused by name where it is %s', async (codec) => {
    const refusal = expect.objectContaining({
      code: 'CORRUPT_BATCH',
      message: expect.stringMatching(new RegExp(`^${codec}: `, 'i')),
    });
    await expect(decode(codec, Buffer.from('no such thing'))).rejects.toEqual(refusal);
  });

  it.each(['snappy', 'lz4', 'zstd'] as const)('is bounded in size where it is %s', async (codec) => {
    await expect(decode(codec, written.patterns[codec], patterns.length)).resolves.toHaveLength(600);
    await expect(decode(codec, written.patterns[codec], patterns.length - 1)).rejects.toThrow(
      'the batch has more than 599 bytes decoded',
    );
  });

  it('ends in an error that says so, and takes no more room than it may', () => {
    const valid = [...Object.values(written.results), ...Object.values(written.patterns)];
    const changed = fc
      .tuple(fc.constantFrom(...valid), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
      .map(([original, changes]) => {
        const copy = Buffer.from(original);
        for (const [at, byte] of changes) copy[at % copy.length] = byte;
        return copy;
      });
    const anything = fc.uint8Array({ maxLength: 100 }).map((array) => Buffer.from(array));
    fc.assert(
      fc.property(fc.oneof(changed, anything), fc.constantFrom(decodeSnappy, decodeLz4), (input, decoder) => {
        try {
          expect(decoder(input, 2_000).length).toBeLessThanOrEqual(2_000);
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptBatch);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
