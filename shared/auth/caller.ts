/** Who asks, as the credentials say. */
export interface Caller {
  readonly userId: string;
  /** Sees and manages everybody's. */
  readonly isAdmin: boolean;
  readonly communities: readonly number[];
  readonly via: 'api_key' | 'jwt' | 'anonymous';
}

export const ADMIN_ROLE = 'admin';

/** AUTH_MODE=anonymous: whoever sends no credentials. */
export const anonymousCaller: Caller = {
  userId: 'anonymous',
  isAdmin: true,
  communities: [],
  via: 'anonymous',
};
