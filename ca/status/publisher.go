package status

import (
	"context"
	"crypto"
	"fmt"
	"strconv"
	"sync"
	"time"

	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/rules"
)

// maxRaces bounds how often a list is made again because another node was quicker.
const maxRaces = 8

// retryPause is how long publishing waits after a failure, as of a token that does not answer.
const retryPause = 2 * time.Second

// Run watches the ledger and publishes lists until ctx ends. Lists that are due are published at once. It returns
// nil when ctx ends; a failure is logged, told by Lists, and tried again.
func (a *Authority) Run(ctx context.Context) error {
	var each sync.WaitGroup
	for _, is := range a.issuers {
		each.Go(func() { a.watch(ctx, is) })
	}
	each.Wait()
	return nil
}

// watch takes turns at one issuer. A slow key of one issuer does not hold up the others.
func (a *Authority) watch(ctx context.Context, is *issuer) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-is.wake:
		case <-timer.C:
		}
		pause, err := a.turn(ctx, is)
		if err != nil && ctx.Err() == nil {
			a.o.Log.ErrorContext(ctx, "the revocation list could not be renewed; the last one is still served",
				"issuer", is.name, "error", err)
		}
		timer.Reset(pause)
	}
}

// turn looks for new revocations and publishes when it is time. It returns when to look again.
func (a *Authority) turn(ctx context.Context, is *issuer) (time.Duration, error) {
	is.work.Lock()
	defer is.work.Unlock()
	if is.list.Load() == nil {
		if _, err := a.latest(ctx, is); err != nil {
			return retryPause, err
		}
	}
	if err := a.catchUp(ctx, is); err != nil {
		return retryPause, err
	}
	if left := a.untilPublish(is); left > 0 {
		return min(left, a.o.Poll), nil
	}
	if _, err := a.publish(ctx, is, is.signer, false); err != nil {
		if is.signer == nil { // known, told by Lists, and nothing that trying again would mend
			return a.o.Poll, nil
		}
		return retryPause, err
	}
	return a.o.Poll, nil
}

// untilPublish is how long the next list may wait: until revocations were collected, or half of the list's life.
func (a *Authority) untilPublish(is *issuer) time.Duration {
	now := a.o.Clock()
	l := is.list.Load()
	if l == nil {
		return 0
	}
	left := due(*l).Sub(now)
	if !is.waiting.IsZero() {
		left = min(left, a.o.Coalesce-time.Since(is.waiting))
	}
	return left
}

// due is when a list is to be followed by the next at the latest: at half of its life (SBR 4.9.7 allows more).
func due(l CRL) time.Time { return l.ThisUpdate.Add(l.NextUpdate.Sub(l.ThisUpdate) / 2) }

// catchUp encodes the revocations that came since the last look, and has kept answers about them forgotten.
func (a *Authority) catchUp(ctx context.Context, is *issuer) error {
	last, err := a.ledger.LastRevocation(ctx, is.name)
	if err != nil {
		return fmt.Errorf("reading the last revocation of %s: %w", is.name, err)
	}
	listed := is.list.Load()
	if last > is.entries.upto {
		var ended time.Time
		if listed != nil {
			ended = listed.ThisUpdate // those that ended before were on that list, or need never be on one
		}
		err := a.ledger.Revocations(ctx, is.name, is.entries.upto, ended, func(r Revocation) error {
			a.answers.forget(is.name, r.Serial)
			return is.entries.add(r)
		})
		if err != nil {
			// What was added stays: upto says how far it goes, and the next look goes on from there.
			return fmt.Errorf("reading the revocations of %s: %w", is.name, err)
		}
		is.entries.upto = max(is.entries.upto, last)
	}
	if is.waiting.IsZero() && listed != nil && listed.Upto < is.entries.upto {
		is.waiting = time.Now()
	}
	return nil
}

// latest reads the newest list from the ledger, serves it, and returns it; a zero CRL when there is none.
func (a *Authority) latest(ctx context.Context, is *issuer) (CRL, error) {
	l, err := a.ledger.LastCRL(ctx, is.name)
	if fault.Is(err, fault.NotFound) {
		return CRL{}, nil
	}
	if err != nil {
		return CRL{}, fmt.Errorf("reading the newest list of %s: %w", is.name, err)
	}
	is.serve(l)
	return l, nil
}

// serve makes l the list that is served, unless a newer one is.
func (is *issuer) serve(l CRL) {
	for {
		old := is.list.Load()
		if old != nil && old.Number >= l.Number {
			return
		}
		if is.list.CompareAndSwap(old, &l) {
			return
		}
	}
}

// publish signs and stores the next list, or serves that of another node that already holds everything and is not
// due. forced asks for a new one in any case. is.work is held.
func (a *Authority) publish(ctx context.Context, is *issuer, key crypto.Signer, forced bool) (CRL, error) {
	for range maxRaces {
		newest, err := a.latest(ctx, is)
		if err != nil {
			return CRL{}, err
		}
		if err := a.catchUp(ctx, is); err != nil {
			return CRL{}, err
		}
		if !forced && newest.Number > 0 && newest.Upto >= is.entries.upto && a.o.Clock().Before(due(newest)) {
			is.published()
			return newest, nil
		}
		if key == nil {
			return CRL{}, is.fail(a.keyAbsent(is))
		}
		next, err := a.sign(is, newest, key)
		if err != nil {
			return CRL{}, is.fail(fault.Wrap(err, fault.Unavailable, "crl.unsigned",
				"The revocation list of %s could not be signed. The key store may not answer; it is tried again.", is.name))
		}
		err = a.ledger.CommitCRL(ctx, next, audit.New(next.ThisUpdate, audit.Actor{Kind: audit.System}, "crl.publish",
			"crl/"+is.name+"/"+strconv.FormatInt(next.Number, 10), map[string]string{
				"upto": strconv.FormatInt(next.Upto, 10), "next_update": next.NextUpdate.Format(time.RFC3339)}))
		if fault.Is(err, fault.Conflict) {
			continue // another node was quicker: read theirs, and see whether it will do
		}
		if err != nil {
			return CRL{}, is.fail(fault.Wrap(err, fault.Unavailable, "crl.unstored",
				"The revocation list of %s could not be stored; it is tried again.", is.name))
		}
		is.serve(next)
		is.published()
		return next, nil
	}
	return CRL{}, fmt.Errorf("status: other nodes were quicker with the list of %s %d times", is.name, maxRaces)
}

func (is *issuer) published() {
	is.waiting = time.Time{}
	is.trouble.Store(nil)
}

// fail remembers for Lists why there is no newer list.
func (is *issuer) fail(why *fault.Error) error {
	why = why.With("issuer", is.name)
	is.trouble.Store(why)
	return why
}

// sign makes the list that follows newest.
func (a *Authority) sign(is *issuer, newest CRL, key crypto.Signer) (CRL, error) {
	if newest.Number > 0 {
		is.entries.drop(newest.ThisUpdate)
	}
	now := a.o.Clock().UTC().Truncate(time.Second)
	life := a.o.ListLife
	if is.certifiesCAs {
		life = rules.Duration(rules.CACRLSpan, now)
	}
	next := CRL{Issuer: is.name, Number: newest.Number + 1, Upto: is.entries.upto, ThisUpdate: now, NextUpdate: now.Add(life)}
	if next.NextUpdate.After(is.certificate.NotAfter) && now.Before(is.certificate.NotAfter) {
		next.NextUpdate = is.certificate.NotAfter // nobody can check the list's signature after it
	}
	der, err := list{issuer: is.certificate, number: next.Number, thisUpdate: next.ThisUpdate,
		nextUpdate: next.NextUpdate, entries: is.entries}.der(key)
	if err != nil {
		return CRL{}, err
	}
	next.DER = der
	return next, nil
}

// keyAbsent says what must be done about a list whose key is not at hand.
func (a *Authority) keyAbsent(is *issuer) *fault.Error {
	l := is.list.Load()
	switch {
	case l == nil:
		return fault.New(fault.Unavailable, "crl.no-list",
			"There is no revocation list of %s yet, and its key is not at hand. Bring the key and publish the first list.", is.name)
	case l.Upto < is.entries.upto:
		return fault.New(fault.Unavailable, "crl.not-listed",
			"A certificate of %s was revoked, and its list does not say so yet: its key is not at hand. Bring the key within 24 hours (SBR 4.9.7) and publish the list.", is.name)
	}
	day := l.NextUpdate.Format(time.DateOnly)
	return fault.New(fault.Unavailable, "crl.no-key",
		"The revocation list of %s holds until %s, and its key is not at hand. Bring the key before that day and publish the next list.", is.name, day).
		With("day", day)
}

// CRL returns the newest list of an issuer; fault.NotFound when there is none yet.
func (a *Authority) CRL(ctx context.Context, name string) (CRL, error) {
	is, err := a.find(name)
	if err != nil {
		return CRL{}, err
	}
	if l := is.list.Load(); l != nil {
		return *l, nil
	}
	l, err := a.latest(ctx, is) // before the first turn, or in a process that only serves
	if err == nil && l.Number == 0 {
		err = fault.New(fault.NotFound, "crl.none", "There is no revocation list of %s yet.", name)
	}
	return l, err
}

// Publish signs and stores a new list of an issuer now. When its key is not at hand it is fault.Unavailable with a
// sentence that says until when the present list holds.
func (a *Authority) Publish(ctx context.Context, name string) (CRL, error) {
	return a.PublishWith(ctx, name, nil)
}

// PublishWith is Publish with a key that is used for this list only, as of an offline root; nil means the key that
// is at hand.
func (a *Authority) PublishWith(ctx context.Context, name string, key crypto.Signer) (CRL, error) {
	is, err := a.find(name)
	if err != nil {
		return CRL{}, err
	}
	if key != nil && !samePublicKey(is.certificate.PublicKey, key.Public()) {
		return CRL{}, fault.New(fault.Invalid, "crl.other-key", "This is not the key of %s.", name)
	}
	is.work.Lock()
	defer is.work.Unlock()
	if key == nil {
		key = is.signer
	}
	return a.publish(ctx, is, key, true)
}

// ListState is how one issuer's list stands.
type ListState struct {
	Issuer                 string
	Number                 int64 // 0 when there is no list yet
	ThisUpdate, NextUpdate time.Time
	Due                    time.Time // when the next one is to be published at the latest; half of its life
	// Problem is a sentence for the administrator when something must be done, otherwise empty. Code and Args are
	// for saying it in another language: "crl.no-list", "crl.not-listed", "crl.no-key", "crl.unsigned",
	// "crl.unstored", "crl.ended".
	Problem string
	Code    string
	Args    map[string]string
}

// Lists says how the lists of all issuers stand. It does not wait for anything.
func (a *Authority) Lists() []ListState {
	var out []ListState
	for _, is := range a.issuers {
		st := ListState{Issuer: is.name}
		why := is.trouble.Load()
		if l := is.list.Load(); l != nil {
			st.Number, st.ThisUpdate, st.NextUpdate, st.Due = l.Number, l.ThisUpdate, l.NextUpdate, due(*l)
			if !a.o.Clock().Before(l.NextUpdate) {
				why = fault.New(fault.Unavailable, "crl.ended", "The revocation list of %s has ended, so that readers cannot check its certificates. Publish the next list.", is.name).
					With("issuer", is.name)
			}
		}
		if why != nil {
			st.Problem, st.Code, st.Args = why.Say, why.Code, why.Args
		}
		out = append(out, st)
	}
	return out
}
