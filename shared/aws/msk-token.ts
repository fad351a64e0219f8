/** What a client of MSK authenticates with by its role: a token that is good for fifteen minutes. kafkajs asks for another in time. */
export function createMskToken(region: string): () => Promise<string> {
  return async () => {
    const { generateAuthToken } = await import('aws-msk-iam-sasl-signer-js');
    const { token } = await generateAuthToken({ region });
    return token;
  };
}
