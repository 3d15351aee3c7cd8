package access

import (
	"context"
	"net/http"
	"time"

	"chancery.example/fault"
)

var errTodo = fault.New(fault.Internal, "access.todo", "not yet")

// SignIn signs in with a password and a code of the authenticator app, or a recovery code in its place.
func (a *Access) SignIn(ctx context.Context, email, password, code string) (Principal, error) {
	return Principal{}, errTodo
}
func (a *Access) BeginPasskeyLogin(ctx context.Context) (Ceremonial, error) {
	return Ceremonial{}, errTodo
}
func (a *Access) FinishPasskeyLogin(ctx context.Context, ceremony string, response []byte) (Principal, error) {
	return Principal{}, errTodo
}
func (a *Access) SignOut(ctx context.Context) error { return errTodo }

func (a *Access) SetupLink(ctx context.Context) (Secret, error) { return "", errTodo }
func (a *Access) StartSetup(ctx context.Context, secret string) (Welcome, error) {
	return Welcome{}, errTodo
}
func (a *Access) BeginSetupPasskey(ctx context.Context, secret, name, email string) (Ceremonial, error) {
	return Ceremonial{}, errTodo
}
func (a *Access) CompleteSetup(ctx context.Context, secret string, c Completion) (Completed, error) {
	return Completed{}, errTodo
}

func (a *Access) EnrolTOTP(ctx context.Context) (Enrolment, error)              { return Enrolment{}, errTodo }
func (a *Access) ConfirmTOTP(ctx context.Context, enrolment, code string) error { return errTodo }
func (a *Access) SetPassword(ctx context.Context, current, fresh string) error  { return errTodo }
func (a *Access) BeginPasskeyRegistration(ctx context.Context) (Ceremonial, error) {
	return Ceremonial{}, errTodo
}
func (a *Access) FinishPasskeyRegistration(ctx context.Context, ceremony, name string, response []byte) error {
	return errTodo
}
func (a *Access) NewRecoveryCodes(ctx context.Context) ([]string, error) { return nil, errTodo }
func (a *Access) Credentials(ctx context.Context, id AccountID) ([]CredentialInfo, error) {
	return nil, errTodo
}
func (a *Access) RemoveCredential(ctx context.Context, id string) error { return errTodo }

func (a *Access) Accounts(ctx context.Context, f AccountFilter) ([]Account, error) {
	return nil, errTodo
}
func (a *Access) Account(ctx context.Context, id AccountID) (Account, error) {
	return Account{}, errTodo
}
func (a *Access) Invite(ctx context.Context, i Invitee) (Account, Secret, error) {
	return Account{}, "", errTodo
}
func (a *Access) InviteAgain(ctx context.Context, id AccountID) (Secret, error)      { return "", errTodo }
func (a *Access) SetRoles(ctx context.Context, id AccountID, roles Roles) error      { return errTodo }
func (a *Access) Disable(ctx context.Context, id AccountID) error                    { return errTodo }
func (a *Access) Enable(ctx context.Context, id AccountID) error                     { return errTodo }
func (a *Access) Sessions(ctx context.Context, id AccountID) ([]Session, error)      { return nil, errTodo }
func (a *Access) EndSession(ctx context.Context, id AccountID, session string) error { return errTodo }
func (a *Access) NewToken(ctx context.Context, r TokenRequest) (Token, Secret, error) {
	return Token{}, "", errTodo
}
func (a *Access) Tokens(ctx context.Context, id AccountID) ([]Token, error)         { return nil, errTodo }
func (a *Access) RevokeToken(ctx context.Context, id AccountID, token string) error { return errTodo }
func (a *Access) Tidy(ctx context.Context) error                                    { return errTodo }

// Refuse writes an error as a door's answer: a page or a problem document.
type Refuse func(w http.ResponseWriter, r *http.Request, err error)

func (a *Access) Authenticate(next http.Handler, refuse Refuse) http.Handler       { return next }
func (a *Access) Require(do Action, next http.Handler, refuse Refuse) http.Handler { return next }
func (a *Access) Protect(next http.Handler, refuse Refuse) http.Handler            { return next }
func (a *Access) Headers(next http.Handler) http.Handler                           { return next }

// OperatorContext marks the connections of the socket in the data directory, as http.Server.BaseContext.
func OperatorContext(ctx context.Context) context.Context { return ctx }

// NewLimiter makes a limiter. now is the clock; nil for time.Now.
func NewLimiter(limits map[Door]Limit, now func() time.Time) *Limiter { return nil }

// Take asks for one go at a door for a key, and is fault.Limited when there is none left.
func (l *Limiter) Take(d Door, key string) error { return nil }

// RetryAfter is how long to wait, in whole seconds, from a fault.Limited for the Retry-After header; 0 where err has none.
func RetryAfter(err error) int { return 0 }
