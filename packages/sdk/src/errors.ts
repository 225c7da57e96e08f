/**
 * What can go wrong for a client: one tree.
 *
 * Every error has `code` (a number: the ledger's or the gateway's, `docs/codes.md`), `name` (its name), `field` (what it
 * is about, or empty) and `detail` (a sentence). Errors that arise on this side of the wire have code 0 and the name of
 * their class. The one thing that is thrown beside them is the reason of an `AbortSignal` of the caller's own.
 */

/** Where an error belongs: the parts that are not its sentence. */
export interface ErrorPlace {
  readonly code?: number;
  readonly name?: string;
  readonly field?: string;
  readonly title?: string;
  readonly cause?: unknown;
}

/** Everything that this package throws on purpose. */
export class ClientError extends Error {
  readonly detail: string;
  readonly code: number;
  readonly field: string;

  constructor(detail: string, place: ErrorPlace = {}) {
    const code = place.code ?? 0;
    const at = place.field ? ` at ${place.field}` : "";
    super(code ? `${place.name ?? ""} (${code})${at}: ${detail}` : detail, { cause: place.cause });
    this.detail = detail;
    this.code = code;
    this.name = place.name || new.target.kind;
    this.field = place.field ?? "";
  }

  /** The class's name, which survives a minifier. */
  static readonly kind: string = "ClientError";
}

/** These bytes, or this value, are none that the ledger writes. */
export class Malformed extends ClientError {
  static override readonly kind: string = "Malformed";
}

/** Something about keys. */
export class KeystoreError extends ClientError {
  static override readonly kind: string = "KeystoreError";
}

/** The key file is whole, and this passphrase does not open it. */
export class PassphraseWrong extends KeystoreError {
  static override readonly kind = "PassphraseWrong";
}

/** No passphrase was given. */
export class PassphraseMissing extends KeystoreError {
  static override readonly kind = "PassphraseMissing";
}

/** The file is not what a keystore wrote. */
export class KeyFileCorrupt extends KeystoreError {
  static override readonly kind = "KeyFileCorrupt";
}

/** These are not the 24 words of a key. */
export class PhraseInvalid extends KeystoreError {
  static override readonly kind = "PhraseInvalid";
}

/** A transaction that cannot be signed or put together as asked. */
export class SigningError extends ClientError {
  static override readonly kind = "SigningError";
}

/**
 * The gateway answered, and the answer is no. `status` is that of HTTP; `title` says in the language of the client what
 * happened and what to do, empty if the gateway did not say.
 */
export class ApiError extends ClientError {
  static override readonly kind: string = "ApiError";
  readonly status: number;
  readonly title: string;

  constructor(detail: string, status: number, place: ErrorPlace = {}) {
    super(detail, place);
    this.status = status;
    this.title = place.title ?? "";
  }
}

/** 401 or 403: no session, one that has ended, or somebody else's account. */
export class NotAuthorised extends ApiError {
  static override readonly kind = "NotAuthorised";
}

/** 404: there is no such thing, or not any more. */
export class NotFound extends ApiError {
  static override readonly kind = "NotFound";
}

/** 429 or 5xx: the gateway or its node cannot answer now; asking again later makes sense. */
export class Unavailable extends ApiError {
  static override readonly kind = "Unavailable";
}

/** Something about one transaction, which `transactionId` names. */
export class TransactionError extends ClientError {
  static override readonly kind: string = "TransactionError";
  readonly transactionId: Uint8Array;

  constructor(detail: string, transactionId: Uint8Array, place: ErrorPlace = {}) {
    super(detail, place);
    this.transactionId = transactionId;
  }
}

/**
 * The ledger, or the node at its door, refused a transaction; the code says why. `failed` is the place of the message that
 * the ledger refused, from 0; undefined for a refusal at the door.
 */
export class TransactionRejected extends TransactionError {
  static override readonly kind: string = "TransactionRejected";
  readonly failed: number | undefined;

  constructor(detail: string, transactionId: Uint8Array, place: ErrorPlace = {}, failed?: number) {
    super(detail, transactionId, place);
    this.failed = failed;
  }
}

/** Chain time went past the transaction's expiry: it is in no block and never will be. */
export class TransactionExpired extends TransactionError {
  static override readonly kind = "TransactionExpired";
}

/** The transaction is in no block yet, and has not expired. Waiting on is as good as sending the same again. */
export class StillPending extends TransactionError {
  static override readonly kind = "StillPending";
}

/** The gateway serves another chain than the one that was asked for. */
export class WrongChain extends ClientError {
  static override readonly kind = "WrongChain";
}

/** What was given as a gateway's address is none. */
export class AddressInvalid extends ClientError {
  static override readonly kind = "AddressInvalid";
}

/** No answer: refused, cut off or timed out. For a submission: send the same bytes again. */
export class TransportError extends ClientError {
  static override readonly kind = "TransportError";
}

/** The other side is no gateway of this version, or somebody between changed its answer. */
export class AnswerNotUnderstood extends ClientError {
  static override readonly kind = "AnswerNotUnderstood";
}

/** The proof does not prove what it should. */
export class ProofInvalid extends ClientError {
  static override readonly kind = "ProofInvalid";
}

/** The checksum does not fit: what is held is not the book. Ask for a snapshot. */
export class BookOutOfStep extends ClientError {
  static override readonly kind = "BookOutOfStep";
}
