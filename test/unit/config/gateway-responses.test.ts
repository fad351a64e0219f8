import { expect, test } from 'vitest';
import { resultOfError } from '../../../functions/api/http/answer.ts';
import { errorCodes } from '../../../functions/api/http/api-error.ts';
import { apiErrorOf } from '../../../functions/api/http/api-error-of.ts';
import {
  gatewayResponseBody,
  gatewayResponseHeaders,
  gatewayResponses,
} from '../../../shared/config/gateway-responses.ts';

/** 504 of API Gateway: the API's own code is that of what it needs being away. */
const ownStatus = { INTEGRATION_FAILURE: 504, INTEGRATION_TIMEOUT: 504 } as Readonly<Record<string, number>>;

test.each(Object.entries(gatewayResponses))(
  '%s has a code of the API, of the same status',
  (type, response) => {
    const statuses: Readonly<Record<string, number>> = errorCodes;
    expect(statuses).toHaveProperty(response.code);
    if (response.status !== null) expect(response.status).toBe(ownStatus[type] ?? statuses[response.code]);
  },
);

test('an error of the function and one of API Gateway look the same', () => {
  const ofTheFunction = resultOfError(apiErrorOf(new Error('unknown')), 'request-1');
  const ofTheGateway = gatewayResponseBody(gatewayResponses.DEFAULT_5XX, 'request-1');
  expect(ofTheGateway).toEqual(JSON.parse(ofTheFunction.body));
});

test.each([
  ['', undefined],
  ['https://app.example.com', 'https://app.example.com'],
  ['https://a.example.com, https://b.example.com', '*'],
  ['*', '*'],
])('where pages of "%s" may call, those of %s may read it', (allowed, origin) => {
  const headers = gatewayResponseHeaders(gatewayResponses.THROTTLED, allowed);
  expect(headers['Access-Control-Allow-Origin']).toBe(origin);
  expect(headers['Retry-After']).toBe('1');
});
