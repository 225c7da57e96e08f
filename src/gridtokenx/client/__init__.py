"""The Python SDK: keys, wallets, signing, and asking a gateway.

    client = Client("http://127.0.0.1:8545")
    wallet = Wallet([Keystore(folder).open("roof", passphrase)])
    view = client.execute(wallet, PlaceOrder(...))

- `keys`, `keystore`, `passphrase`   Ed25519 keys, their encrypted files, the 24 words that bring one back.
- `transactions`, `wallet`           building and signing; nonces; expiry in chain time.
- `ceremony`                         signing by several people, offline, as a file from hand to hand.
- `client`, `async_client`           one method a route; `calls` and `flows` are what both are made of, without network.
- `stream`, `livebook`               the WebSocket with resume; a book that proves itself.
- `proofs`                           checking what a gateway says against an app hash from elsewhere.
- `light`                            following the chain by what its validators signed; then nobody is believed at all.
- `errors`                           one tree.
"""
