package status

import (
	"context"
	"time"

	"chancery.example/trust/ocsp"
)

// Answer is a response to an OCSP request, with what a cache on its way may know.
type Answer struct {
	// DER is the response; it is one for every request, also for those that are refused.
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

// Respond answers an OCSP request in DER. There is always an answer: what goes wrong is said in it and logged.
func (a *Authority) Respond(ctx context.Context, request []byte) Answer { return Answer{} }

func (a *Authority) index(is *issuer) error { return nil }
