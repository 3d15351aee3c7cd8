package portal

import (
	"context"

	"chancery.example/server/access"
)

// Access is what the portal needs of the door-keeper (*access.Access), in five parts.
type Access interface {
	signIn
	setUp
	self
	people
	// Allow says whether who may do this to that: nil, fault.Anonymous or fault.Denied.
	Allow(who access.Principal, do access.Action, on access.Resource) error
}

type signIn interface {
	SignIn(ctx context.Context, email, password, code string) (access.Principal, error)
	BeginPasskeyLogin(ctx context.Context) (access.Ceremonial, error)
	FinishPasskeyLogin(ctx context.Context, ceremony string, response []byte) (access.Principal, error)
	SignOut(ctx context.Context) error
}

type setUp interface {
	StartSetup(ctx context.Context, secret string) (access.Welcome, error)
	BeginSetupPasskey(ctx context.Context, secret, name, email string) (access.Ceremonial, error)
	CompleteSetup(ctx context.Context, secret string, c access.Completion) (access.Completed, error)
}

// self is what a signed-in person does to their own account.
type self interface {
	EnrolTOTP(ctx context.Context) (access.Enrolment, error)
	ConfirmTOTP(ctx context.Context, enrolment, code string) error
	SetPassword(ctx context.Context, current, fresh string) error
	BeginPasskeyRegistration(ctx context.Context) (access.Ceremonial, error)
	FinishPasskeyRegistration(ctx context.Context, ceremony, name string, response []byte) error
	NewRecoveryCodes(ctx context.Context) ([]string, error)
	RemoveCredential(ctx context.Context, id string) error
	NewToken(ctx context.Context, r access.TokenRequest) (access.Token, access.Secret, error)
}

// people is about accounts, one's own or, for administrators, those of others.
type people interface {
	Accounts(ctx context.Context, f access.AccountFilter) ([]access.Account, error)
	Account(ctx context.Context, id access.AccountID) (access.Account, error)
	Credentials(ctx context.Context, id access.AccountID) ([]access.CredentialInfo, error)
	Sessions(ctx context.Context, id access.AccountID) ([]access.Session, error)
	Tokens(ctx context.Context, id access.AccountID) ([]access.Token, error)
	EndSession(ctx context.Context, id access.AccountID, session string) error
	RevokeToken(ctx context.Context, id access.AccountID, token string) error
	Invite(ctx context.Context, i access.Invitee) (access.Account, access.Secret, error)
	InviteAgain(ctx context.Context, id access.AccountID) (access.Secret, error)
	SetRoles(ctx context.Context, id access.AccountID, roles access.Roles) error
	Disable(ctx context.Context, id access.AccountID) error
	Enable(ctx context.Context, id access.AccountID) error
}
