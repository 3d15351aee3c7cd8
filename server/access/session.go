package access

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"chancery.example/audit"
	"chancery.example/fault"
)

// seenEvery is how often the use of a session or token is written down: not a write for every request.
const seenEvery = time.Minute

// browsing is what Authenticate knows of one browser request, between scs and the ledger.
type browsing struct {
	client  Client
	refuse  Refuse
	session *Session // as found or begun; nil for none
	account Account  // of session
	// change is the unit that the next commit of the session belongs to: what signed in, and that it did, are stored
	// together.
	change *Change
	stored []byte // the session as it was last stored, so that scs's second commit of the same costs nothing
}

type browsingKey struct{}

func browsingOf(ctx context.Context) *browsing {
	b, _ := ctx.Value(browsingKey{}).(*browsing)
	return b
}

// newSessions sets up scs. It makes and reads cookies and tokens and keeps only hashes; how long a session lasts is
// decided in sessionStore, by our clock. The cookie has no expiry of its own and goes with the browser.
//
// SameSite=Lax, not Strict: with Strict whoever follows a link from a mail would seem to be signed out. What changes
// anything is a POST, which Lax keeps from other sites and Protect checks again.
func (a *Access) newSessions() *scs.SessionManager {
	m := scs.New()
	m.Store = sessionStore{a}
	m.Codec = sessionCodec{}
	m.HashTokenInStore = true
	m.Lifetime = a.lifetime
	m.Cookie = scs.SessionCookie{Name: "chancery", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if a.secure {
		m.Cookie.Name, m.Cookie.Secure = "__Host-chancery", true
	}
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		if b := browsingOf(r.Context()); b != nil {
			b.refuse(w, r, err)
			return
		}
		http.Error(w, fault.Sentence(err), http.StatusInternalServerError)
	}
	return m
}

// sessionValue is the only value in a session of scs.
const sessionValue = "session"

// sessionCodec carries our Session through scs.
type sessionCodec struct{}

func (sessionCodec) Encode(_ time.Time, values map[string]any) ([]byte, error) {
	s, ok := values[sessionValue].(Session)
	if !ok {
		return nil, errors.New("access: a session without an account")
	}
	return json.Marshal(s)
}

func (sessionCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var s Session
	if err := json.Unmarshal(b, &s); err != nil {
		return time.Time{}, nil, err
	}
	return time.Time{}, map[string]any{sessionValue: s}, nil
}

// sessionStore is scs's store on our ledger. Tokens arrive here as hashes.
type sessionStore struct{ a *Access }

var errNoContext = errors.New("access: signing in needs a browser: call it under Authenticate")

// Find, Commit and Delete without a context belong to scs's interface; it prefers those with one.
func (sessionStore) Find(string) ([]byte, bool, error)      { return nil, false, errNoContext }
func (sessionStore) Commit(string, []byte, time.Time) error { return errNoContext }
func (sessionStore) Delete(string) error                    { return errNoContext }

// FindCtx reads a session that is alive, notes that it was used, and remembers it for Authenticate.
func (s sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	b, h, err := sessionContext(ctx, token)
	if err != nil {
		return nil, false, err
	}
	ses, acc, err := s.a.ledger.Session(ctx, h)
	if fault.Is(err, fault.NotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	now := s.a.now()
	if !acc.Active() || !s.a.alive(ses, now) {
		return nil, false, nil
	}
	if now.Sub(ses.SeenAt) >= seenEvery {
		if err := s.a.ledger.SeenSession(ctx, h, now); err != nil {
			return nil, false, err
		}
		ses.SeenAt = now
	}
	b.session, b.account = &ses, acc
	raw, err := json.Marshal(ses)
	return raw, err == nil, err
}

// CommitCtx stores a session together with the change that it belongs to.
func (s sessionStore) CommitCtx(ctx context.Context, token string, raw []byte, _ time.Time) error {
	b, h, err := sessionContext(ctx, token)
	if err != nil {
		return err
	}
	if b.change == nil && string(b.stored) == string(raw) {
		return nil
	}
	var ses Session
	if err := json.Unmarshal(raw, &ses); err != nil {
		return err
	}
	ses.Hash = h
	var c Change
	if b.change != nil {
		c, b.change = *b.change, nil
	}
	c.Session = &ses
	if err := s.a.commit(ctx, c); err != nil {
		return err
	}
	b.stored, b.session = raw, &ses
	return nil
}

// DeleteCtx ends a session: at once, or with the change under way that puts a new one in its place.
func (s sessionStore) DeleteCtx(ctx context.Context, token string) error {
	b, _, err := sessionContext(ctx, token)
	if err != nil || b.session == nil {
		return err
	}
	ended := b.session
	if b.change != nil {
		b.change.Ended = append(b.change.Ended, ended.ID)
		return nil
	}
	b.session = nil
	return s.a.commit(ctx, Change{Ended: []string{ended.ID}, Audit: []audit.Entry{
		s.a.entry(From(ctx), "session.end", sessionSubject(ended.ID), map[string]string{"account": string(ended.Account), "why": "signed out"})}})
}

func sessionContext(ctx context.Context, token string) (*browsing, Hash, error) {
	b := browsingOf(ctx)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if b == nil || err != nil || len(raw) != len(Hash{}) {
		return nil, Hash{}, errNoContext
	}
	return b, Hash(raw), nil
}

// alive reports whether a session has neither been idle for too long nor lived too long.
func (a *Access) alive(s Session, now time.Time) bool {
	return now.Before(s.CreatedAt.Add(a.lifetime)) && now.Before(s.SeenAt.Add(a.idle))
}

// begin signs an account in: it commits c with a fresh session whose token replaces the old one, and its audit entry.
// Outside of Authenticate, where there is no browser, only c is committed.
func (a *Access) begin(ctx context.Context, acc Account, by string, c Change) (Principal, error) {
	now := a.now().UTC().Truncate(time.Microsecond)
	b := browsingOf(ctx)
	if b == nil {
		return Principal{}, a.commit(ctx, c)
	}
	ses := Session{ID: newID("ses_"), Account: acc.ID, Client: b.client, By: by, CreatedAt: now, SeenAt: now}
	who := personOf(acc, ses)
	c.Audit = append(c.Audit, a.entry(who, "session.begin", sessionSubject(ses.ID),
		map[string]string{"account": string(acc.ID), "by": by, "address": b.client.Address.String()}))
	b.change = &c
	defer func() { b.change = nil }()
	if err := a.sessions.RenewToken(ctx); err != nil {
		return Principal{}, err
	}
	a.sessions.Put(ctx, sessionValue, ses)
	if _, _, err := a.sessions.Commit(ctx); err != nil {
		// scs would otherwise store the session when the answer is written.
		b.session = nil
		return Principal{}, errors.Join(err, a.sessions.Destroy(ctx))
	}
	b.account = acc
	return who, nil
}

// SignOut ends the session of this request. It works only under Authenticate.
func (a *Access) SignOut(ctx context.Context) error {
	if b := browsingOf(ctx); b == nil || b.session == nil {
		return nil
	}
	return a.sessions.Destroy(ctx)
}

// Sessions lists an account's sessions, newest first, to their owner and to those who may read accounts.
func (a *Access) Sessions(ctx context.Context, id AccountID) ([]Session, error) {
	if err := a.mayRead(ctx, id); err != nil {
		return nil, err
	}
	all, err := a.ledger.Sessions(ctx, id)
	if err != nil {
		return nil, err
	}
	var alive []Session
	now := a.now()
	for _, s := range all {
		if a.alive(s, now) {
			alive = append(alive, s)
		}
	}
	return alive, nil
}

// EndSession ends one session of an account, or all of them when session is empty; for their owner and for those who
// manage accounts.
func (a *Access) EndSession(ctx context.Context, id AccountID, session string) error {
	who := From(ctx)
	if err := a.mayManage(ctx, id, SelfManage); err != nil {
		return err
	}
	all, err := a.ledger.Sessions(ctx, id)
	if err != nil {
		return err
	}
	var c Change
	for _, s := range all {
		if session == "" || s.ID == session {
			c.Ended = append(c.Ended, s.ID)
			c.Audit = append(c.Audit, a.entry(who, "session.end", sessionSubject(s.ID), map[string]string{"account": string(id), "why": "ended"}))
		}
	}
	if len(c.Ended) == 0 && session != "" {
		return fault.New(fault.NotFound, "session.unknown", "There is no such session; perhaps it has ended by itself.")
	}
	if len(c.Ended) == 0 {
		return nil
	}
	return a.commit(ctx, c)
}

func sessionSubject(id string) string { return "session/" + id }

// personOf is the principal of a session.
func personOf(acc Account, s Session) Principal {
	return Principal{Kind: Person, Account: acc.ID, Session: s.ID, Name: acc.Name, Email: acc.Email, Language: acc.Language,
		Roles: acc.Roles, SignedInAt: s.CreatedAt, Client: s.Client}
}

// entry makes an audit entry of now.
func (a *Access) entry(who Principal, action, subject string, detail map[string]string) audit.Entry {
	return audit.New(a.now(), who.Actor(), action, subject, detail)
}
