import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Findings of cdk-nag that are as they should be, each with its reason. What is not explained here fails the tests. */
export function acknowledge(construct: IConstruct, reasons: Readonly<Record<string, string>>): void {
  for (const [rule, reason] of Object.entries(reasons)) {
    const pack = rule.split('-')[0];
    Validations.of(construct).acknowledge({ id: `${pack}::${rule}`, reason });
  }
}
