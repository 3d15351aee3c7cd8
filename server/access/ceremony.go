package access

import (
	"context"
	"encoding/json"
	"time"

	"chancery.example/fault"
)

// The kinds of ceremony.
const (
	ceremonyTOTP         = "totp"
	ceremonyRegistration = "passkey-registration"
	ceremonyLogin        = "passkey-login"
)

// newCeremony seals what must be remembered until a browser answers, and the secret under which it is found again.
// The secret goes to the browser; who has only the database can neither read nor finish a ceremony.
func (a *Access) newCeremony(kind string, id AccountID, life time.Duration, data any) (Ceremony, string, error) {
	plain, err := json.Marshal(data)
	if err != nil {
		return Ceremony{}, "", err
	}
	secret := string(newSecret())
	sealed, err := a.sealer.Seal(plain, ceremonyContext(kind, id))
	if err != nil {
		return Ceremony{}, "", err
	}
	return Ceremony{Hash: hashOf("ceremony", secret), Kind: kind, Account: id, Data: sealed, ExpiresAt: a.now().Add(life)}, secret, nil
}

// ceremony finds what began under a secret, of this kind and for this account, and reads it into data.
func (a *Access) ceremony(ctx context.Context, secret, kind string, id AccountID, data any) (Hash, error) {
	gone := ceremonyGone()
	h := hashOf("ceremony", secret)
	c, err := a.ledger.Ceremony(ctx, h)
	switch {
	case fault.Is(err, fault.NotFound):
		return h, gone
	case err != nil:
		return h, err
	case c.Kind != kind || c.Account != id || !a.now().Before(c.ExpiresAt):
		return h, gone
	}
	plain, err := a.sealer.Open(c.Data, ceremonyContext(kind, id))
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(plain, data)
}

func ceremonyGone() error {
	return fault.New(fault.Gone, "ceremony.gone", "This took too long, or was already done. Please begin again.")
}

func ceremonyContext(kind string, id AccountID) []byte {
	return []byte("chancery ceremony\n" + kind + "\n" + string(id))
}
