import {
  brotliDecompressSync,
  constants,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';

/** What agents may compress their answers with (RFC 9110 §8.4.1, RFC 7932, RFC 8878). */
export const ACCEPTED_ENCODINGS = 'gzip, deflate, br, zstd';

export type DecodedBody =
  | { readonly ok: true; readonly body: Buffer }
  /** `TOO_LARGE`: more than `maxBytes` come out. The others say what was wrong, as far as it is known. */
  | { readonly ok: false; readonly code: 'UNKNOWN' | 'TOO_LARGE' | 'BROKEN'; readonly coding: string };

export interface DecodeOptions {
  /** Of what comes out, and of each coding's result where there are several. */
  readonly maxBytes: number;
  /** The body may have been cut: what comes out of it up to there is taken. */
  readonly mayBeCut?: boolean;
}

type Decode = (body: Buffer, options: DecodeOptions) => Buffer;

/** A frame that asks for a larger window than the coding's registration allows (RFC 9659: 8 MB) would take that memory. */
const ZSTD_WINDOW_LOG = 23;
/** Nobody has a reason for more than one. */
const MAX_CODINGS = 4;

const decoders: Readonly<Record<string, Decode>> = {
  gzip: (body, options) => gunzipSync(body, zlibOptions(options)),
  deflate: inflateEither,
  br: (body, { maxBytes, mayBeCut }) =>
    brotliDecompressSync(body, {
      maxOutputLength: maxBytes,
      ...(mayBeCut && { finishFlush: constants.BROTLI_OPERATION_FLUSH }),
    }),
  zstd: (body, { maxBytes, mayBeCut }) =>
    zstdDecompressSync(body, {
      maxOutputLength: maxBytes,
      params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG },
      ...(mayBeCut && { finishFlush: constants.ZSTD_e_flush }),
    }),
};

/**
 * Takes off the codings of `Content-Encoding`, the last one first.
 * @param contentEncoding the header; null where it is absent
 */
export function decodeBody(
  encoded: Buffer,
  contentEncoding: string | null,
  options: DecodeOptions,
): DecodedBody {
  // 204 and the like: there is nothing to take anything off.
  if (contentEncoding === null || encoded.length === 0) return { ok: true, body: encoded };
  const codings = contentEncoding
    .split(',')
    .map((coding) =>
      coding
        .trim()
        .toLowerCase()
        .replace(/^x-(?=gzip$)/, ''),
    )
    .filter((coding) => coding !== '' && coding !== 'identity');
  if (codings.length > MAX_CODINGS) return { ok: false, code: 'UNKNOWN', coding: codings.join(', ') };
  let body = encoded;
  for (const coding of codings.toReversed()) {
    const decode = Object.hasOwn(decoders, coding) ? decoders[coding] : undefined;
    if (decode === undefined) return { ok: false, code: 'UNKNOWN', coding };
    try {
      body = decode(body, options);
    } catch (error) {
      const isTooLarge = (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
      return { ok: false, code: isTooLarge ? 'TOO_LARGE' : 'BROKEN', coding };
    }
  }
  return { ok: true, body };
}

/** RFC 9110 §8.4.1.2: deflate is in zlib's format, and some send it bare. */
function inflateEither(body: Buffer, options: DecodeOptions): Buffer {
  try {
    return inflateSync(body, zlibOptions(options));
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'Z_DATA_ERROR') throw error;
    return inflateRawSync(body, zlibOptions(options));
  }
}

function zlibOptions({ maxBytes, mayBeCut }: DecodeOptions) {
  return { maxOutputLength: maxBytes, ...(mayBeCut && { finishFlush: constants.Z_SYNC_FLUSH }) };
}
