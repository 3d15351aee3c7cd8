package status

import (
	"context"
	"crypto"
	_ "crypto/sha1" // CertIDs of most clients
	"crypto/sha256"
	_ "crypto/sha512"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"chancery.example/ca/issuance"
	"chancery.example/rules"
	"chancery.example/trust/ocsp"
)

// Answer is a response to an OCSP request, with what a cache on its way may know.
type Answer struct {
	// DER is the response; there is one for every request, also for those that are refused.
	DER []byte
	// Error is the outer status: ocsp.Successful, or why there is no signed answer (RFC 6960 2.3).
	Error ocsp.ErrorStatus
	// ThisUpdate and NextUpdate bound the answer's life; zero unless Error is Successful.
	ThisUpdate, NextUpdate time.Time
	// Refresh is when a newer answer will be made at the latest; zero unless Shared.
	Refresh time.Time
	// Shared says that the same request from anybody would get the same answer, so that caches may keep it.
	Shared bool
	// Tag is the SHA-256 of DER in lower-case hex (RFC 9919 6.2); empty unless Shared.
	Tag string
}

// unknownLife is how long a cache may keep "unknown": the serial number may be given out at the next moment.
const unknownLife = time.Minute

// serialBits bounds serial numbers (SBR 7.1, RFC 5280 4.1.2.2): a larger one was never issued, which needs no look.
const serialBits = 159

// Respond answers an OCSP request in DER. There is always an answer: what goes wrong is said in it and logged.
//
// A nonce is echoed (RFC 9654), several certificates of one issuer are answered together, a serial number that was
// never given out is "unknown" (SBR 4.9.10, BR-130). A request about nobody's certificates, or about those of two
// issuers, which no responder may answer in one signature, is "unauthorized".
func (a *Authority) Respond(ctx context.Context, request []byte) Answer {
	now := a.o.Clock().UTC()
	if kept, ok := a.answers.get(request, now); ok {
		return kept
	}
	generation := a.answers.generation()
	asked, err := ocsp.ParseRequest(request)
	if err != nil {
		return refusal(ocsp.MalformedRequest)
	}
	is := a.answerer(asked)
	if is == nil {
		return refusal(ocsp.Unauthorized)
	}
	r := is.responder.Load()
	if r == nil {
		return refusal(ocsp.Unauthorized)
	}
	if now.Before(r.Certificate.NotBefore) || !now.Before(r.Certificate.NotAfter) {
		is.complain(a, now, fmt.Errorf("the OCSP responder's certificate is not valid now; it ended on %s", r.Certificate.NotAfter.Format(time.DateOnly)))
		return refusal(ocsp.TryLater)
	}
	answer, certain, err := a.answer(ctx, is, r, asked, now)
	if err != nil {
		if ctx.Err() == nil {
			is.complain(a, now, err)
		}
		return refusal(ocsp.TryLater)
	}
	if answer.Shared && certain && len(asked.IDs) == 1 {
		a.answers.keep(request, is.name, issuance.SerialOf(asked.IDs[0].Serial), generation, answer)
	}
	return answer
}

// answer looks everything up and signs. certain is false when a serial number was unknown.
func (a *Authority) answer(ctx context.Context, is *issuer, r *ocsp.Responder, asked *ocsp.Request, now time.Time) (Answer, bool, error) {
	this := now.Truncate(time.Second)
	next := this.Add(a.o.AnswerLife)
	if end := r.Certificate.NotAfter; next.After(end) {
		next = end // nobody can check the signature after it
	}
	certain := true
	singles := make([]ocsp.SingleResponse, 0, len(asked.IDs))
	for _, id := range asked.IDs {
		single := ocsp.SingleResponse{ID: id, Status: ocsp.Unknown, ThisUpdate: this, NextUpdate: next}
		if a.byHash[hashKey(id)] == is {
			if err := a.fill(ctx, is, &single); err != nil {
				return Answer{}, false, err
			}
		}
		certain = certain && single.Status != ocsp.Unknown
		singles = append(singles, single)
	}
	der, err := r.Respond(this, asked.Nonce, singles...)
	if err != nil {
		return Answer{}, false, fmt.Errorf("signing an OCSP answer: %w", err)
	}
	answer := Answer{DER: der, Error: ocsp.Successful, ThisUpdate: this, NextUpdate: next, Shared: asked.Nonce == nil}
	if answer.Shared {
		answer.Refresh = refresh(this, next)
		if !certain {
			answer.Refresh = earlier(answer.Refresh, now.Add(unknownLife))
		}
		tag := sha256.Sum256(der)
		answer.Tag = hex.EncodeToString(tag[:])
	}
	return answer, certain, nil
}

// fill says what the ledger knows of one serial number.
func (a *Authority) fill(ctx context.Context, is *issuer, single *ocsp.SingleResponse) error {
	if n := single.ID.Serial; n.Sign() <= 0 || n.BitLen() > serialBits {
		return nil
	}
	standing, err := a.ledger.Standing(ctx, is.name, issuance.SerialOf(single.ID.Serial))
	switch {
	case err != nil:
		return fmt.Errorf("reading the standing of a certificate of %s: %w", is.name, err)
	case standing.Revocation != nil:
		single.Status = ocsp.Revoked
		single.RevokedAt = standing.Revocation.At
		single.Reason = ocsp.Reason(standing.Revocation.Reason)
	case standing.Known:
		single.Status = ocsp.Good
	}
	return nil
}

// refresh is when an answer is to be followed by a newer one: at half of its life, and as SBR 4.9.10 (BR-130) asks
// of those that live longer, some time before its end and not too long after its beginning.
func refresh(this, next time.Time) time.Time {
	life := next.Sub(this)
	at := this.Add(life / 2)
	if life >= rules.Duration(rules.OCSPLongLived, this) {
		at = earlier(at, next.Add(-rules.Duration(rules.OCSPRefreshBefore, this)))
		at = earlier(at, this.Add(rules.Duration(rules.OCSPRefreshAfter, this)))
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// refusal is the unsigned answer with that status (RFC 6960 2.3).
func refusal(s ocsp.ErrorStatus) Answer { return Answer{DER: ocsp.ErrorResponse(s), Error: s} }

// answerer is the one issuer of ours that a request is about, nil when there is none or more than one.
func (a *Authority) answerer(asked *ocsp.Request) *issuer {
	var one *issuer
	for _, id := range asked.IDs {
		is := a.byHash[hashKey(id)]
		if is == nil {
			continue
		}
		if one != nil && one != is {
			return nil
		}
		one = is
	}
	return one
}

// certIDHashes are those by which a request may name an issuer.
var certIDHashes = []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512}

// index makes an issuer findable by what a CertID says of it.
func (a *Authority) index(is *issuer) error {
	for _, h := range certIDHashes {
		id, err := ocsp.NewCertID(is.certificate, big.NewInt(1), h)
		if err != nil {
			return fmt.Errorf("status: naming the issuer %s: %w", is.name, err)
		}
		if other := a.byHash[hashKey(id)]; other != nil {
			return fmt.Errorf("status: %s and %s have the same name and key", is.name, other.name)
		}
		a.byHash[hashKey(id)] = is
	}
	return nil
}

// hashKey tells issuers apart in byHash. The hashes' lengths follow from the algorithm, so that no two run together.
func hashKey(id ocsp.CertID) string {
	return string(rune(id.Hash)) + string(id.NameHash) + string(id.KeyHash)
}

// complain logs what keeps an issuer's answers from being given, at most once a minute: requests come by the thousand.
func (is *issuer) complain(a *Authority, now time.Time, err error) {
	last := is.complained.Load()
	if now.Unix()-last >= 60 && is.complained.CompareAndSwap(last, now.Unix()) {
		a.o.Log.Error("OCSP requests cannot be answered", "issuer", is.name, "error", err)
	}
}
