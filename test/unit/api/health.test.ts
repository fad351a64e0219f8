import { describe, expect, it } from 'vitest';
import { createApi } from '../../../functions/api/create-api.ts';
import type { ApiServices } from '../../../functions/api/services.ts';
import { apiContext, apiEvent, responseOf } from '../../support/api-event.ts';
import { fullBuckets } from '../../support/full-buckets.ts';

type Check = () => Promise<unknown>;
const up: Check = async () => 1;
const down: Check = () => Promise.reject(new Error('the inside'));
const silent: Check = () => new Promise(() => {});

async function healthOf(database: Check, kafka: Check) {
  const services = {
    healthChecks: { database, kafka },
    log: { error: () => {} },
    aaa: { write: () => {} },
    corsAllowedOrigins: [],
    rateLimiter: fullBuckets,
  } as unknown as ApiServices;
  return responseOf(await createApi(services)(apiEvent({ path: '/health' }), apiContext));
}

describe('GET /health', () => {
  it('is healthy when both answer, without credentials', async () => {
    const { status, body } = await healthOf(up, up);
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      message: 'Healthy',
      data: { status: 'healthy', database: 'up', kafka: 'up' },
      meta: {},
      status: 'healthy',
    });
  });

  it.each([
    ['the database', down, up, 'database'],
    ['Kafka', up, down, 'kafka'],
    ['both', down, down, 'database, kafka'],
  ])('is 503 naming %s', async (_what, database, kafka, named) => {
    const { status, body, headers } = await healthOf(database, kafka);
    expect(status).toBe(503);
    expect(body).toEqual({
      success: false,
      message: `Not reachable: ${named}`,
      error_code: 'SERVICE_UNAVAILABLE',
      details: { database: database === up ? 'up' : 'down', kafka: kafka === up ? 'up' : 'down' },
    });
    expect(headers['Retry-After']).toBe('2');
  });

  it('does not wait for what does not answer', async () => {
    const { body } = await healthOf(silent, silent);
    expect(body.details).toEqual({ database: 'down', kafka: 'down' });
  });
});
