/** Requests a minute of one caller; a bucket holds one minute's allowance and is refilled continuously. Null: no limit. */
export const requestsPerMinute = {
  standard: 100,
  premium: 1_000,
  unlimited: null,
} as const;

/** Credentials that were wrong, by the address that they came from. Right ones pass whatever their neighbours behind it do. */
export const failedAuthenticationsPerMinute = 100;

export type Tier = keyof typeof requestsPerMinute;

export const tiers = ['standard', 'premium', 'unlimited'] as const satisfies readonly Tier[];
