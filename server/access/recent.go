package access

import (
	"context"
	"sync"
	"time"
)

// Programs ask often and in bursts, so what the ledger says about their tokens is remembered for a moment. What this
// node changes holds at once; what another node of the house changes, within recentFor.
const (
	recentFor  = time.Second
	maxRecents = 1024
)

// recents remembers tokens with their accounts.
type recents struct {
	mu         sync.Mutex
	tokens     map[Hash]recent
	generation int64 // counts the changes: what was read before one is not remembered after it
}

type recent struct {
	token   Token
	account Account
	until   time.Time
}

// find returns what is remembered, and the generation in which the ledger is about to be read otherwise.
func (r *recents) find(h Hash, now time.Time) (found recent, ok bool, generation int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok = r.tokens[h]
	return found, ok && now.Before(found.until), r.generation
}

// keep remembers what was read in a generation.
func (r *recents) keep(h Hash, t Token, acc Account, now time.Time, generation int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if generation != r.generation {
		return
	}
	if r.tokens == nil || len(r.tokens) >= maxRecents {
		r.tokens = map[Hash]recent{}
	}
	r.tokens[h] = recent{token: t, account: acc, until: now.Add(recentFor)}
}

// forget forgets everything.
func (r *recents) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation++
	clear(r.tokens)
}

// token reads a token with its account, from memory or from the ledger.
func (a *Access) token(ctx context.Context, h Hash) (Token, Account, error) {
	now := a.now()
	found, ok, generation := a.recents.find(h, now)
	if ok {
		return found.token, found.account, nil
	}
	t, acc, err := a.ledger.Token(ctx, h)
	if err != nil {
		return t, acc, err
	}
	if t.good(now) && acc.Active() && now.Sub(t.LastUsedAt) >= seenEvery {
		if err := a.ledger.SeenToken(ctx, t.ID, now); err != nil {
			return t, acc, err
		}
		t.LastUsedAt = now
	}
	a.recents.keep(h, t, acc, now, generation)
	return t, acc, nil
}

// commit stores a change and forgets what it may have changed.
func (a *Access) commit(ctx context.Context, c Change) error {
	err := a.ledger.CommitAccess(ctx, c)
	if len(c.Tokens) > 0 || len(c.Accounts) > 0 {
		a.recents.forget()
	}
	return err
}
