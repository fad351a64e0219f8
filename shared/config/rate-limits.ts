/** Requests a minute of one caller; a bucket holds one minute's allowance and is refilled continuously. Null: no limit. */
export const requestsPerMinute = {
  standard: 100,
  premium: 1_000,
  unlimited: null,
} as const;

export type Tier = keyof typeof requestsPerMinute;

export const tiers = ['standard', 'premium', 'unlimited'] as const satisfies readonly Tier[];
