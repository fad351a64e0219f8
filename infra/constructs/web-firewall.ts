import * as wafv2 from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import {
  type GatewayResponse,
  gatewayResponseHeaders,
  gatewayResponses,
} from '../../shared/config/gateway-responses.ts';

export interface WebFirewallProps {
  readonly stageArn: string;
  /** From one address. */
  readonly requestsPerFiveMinutes: number;
  /** With commas. */
  readonly corsAllowedOrigins: string;
}

/** It is let in again when the last five minutes have fewer requests, which is looked at twice a minute. */
const FLOOD: GatewayResponse = {
  ...gatewayResponses.THROTTLED,
  message: 'Too many requests from this address; try again later',
  retryAfterSeconds: 60,
};

/**
 * Stops floods from one address and what AWS knows for attacks. The rules about bodies only count: workflow definitions and
 * agents' inputs hold code, markup and paths, and the function checks every size itself.
 */
export class WebFirewall extends Construct {
  constructor(scope: Construct, id: string, props: WebFirewallProps) {
    super(scope, id);
    const { stageArn, requestsPerFiveMinutes, corsAllowedOrigins } = props;
    const acl = new wafv2.CfnWebACL(this, 'Acl', {
      scope: 'REGIONAL',
      defaultAction: { allow: {} },
      visibilityConfig: visible('stepline-api'),
      // The others' refusals are answered by API Gateway. There is no id of the request here.
      customResponseBodies: {
        flood: {
          contentType: 'APPLICATION_JSON',
          content: JSON.stringify({
            success: false,
            message: FLOOD.message,
            error_code: FLOOD.code,
            details: { retry_after_seconds: FLOOD.retryAfterSeconds },
          }),
        },
      },
      rules: [
        {
          name: 'flood',
          priority: 0,
          action: { block: { customResponse: tooManyRequests(corsAllowedOrigins) } },
          statement: { rateBasedStatement: { limit: requestsPerFiveMinutes, aggregateKeyType: 'IP' } },
          visibilityConfig: visible('flood'),
        },
        managed('AWSManagedRulesAmazonIpReputationList', 1),
        managed('AWSManagedRulesKnownBadInputsRuleSet', 2),
        managed('AWSManagedRulesCommonRuleSet', 3, [
          'SizeRestrictions_BODY',
          'CrossSiteScripting_BODY',
          'GenericLFI_BODY',
          'GenericRFI_BODY',
          'EC2MetaDataSSRF_BODY',
          // Agents that call back need not say what they are.
          'NoUserAgent_HEADER',
        ]),
      ],
    });
    new wafv2.CfnWebACLAssociation(this, 'Association', { resourceArn: stageArn, webAclArn: acl.attrArn });
  }
}

function tooManyRequests(corsAllowedOrigins: string): wafv2.CfnWebACL.CustomResponseProperty {
  const headers = Object.entries(gatewayResponseHeaders(FLOOD, corsAllowedOrigins));
  return {
    responseCode: 429,
    customResponseBodyKey: 'flood',
    responseHeaders: headers.map(([name, value]) => ({ name, value })),
  };
}

function managed(
  name: string,
  priority: number,
  counted: readonly string[] = [],
): wafv2.CfnWebACL.RuleProperty {
  return {
    name,
    priority,
    overrideAction: { none: {} },
    statement: {
      managedRuleGroupStatement: {
        vendorName: 'AWS',
        name,
        ruleActionOverrides: counted.map((rule) => ({ name: rule, actionToUse: { count: {} } })),
      },
    },
    visibilityConfig: visible(name),
  };
}

function visible(metricName: string): wafv2.CfnWebACL.VisibilityConfigProperty {
  return { cloudWatchMetricsEnabled: true, sampledRequestsEnabled: true, metricName };
}
