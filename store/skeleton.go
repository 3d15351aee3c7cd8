package store

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/jobs"
	"chancery.example/lifecycle"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

var errNotYet = errors.New("store: not built yet")

// Stats counts what the writer did since it was opened.
type Stats struct {
	Commits int64 // database transactions committed
	Units   int64 // units stored by them
	Refused int64 // units that were refused or failed
}

func (s *Store) Stats() Stats                                       { return Stats{} }
func (s *Store) Ping(ctx context.Context) error                     { return errNotYet }
func (s *Store) Commit(ctx context.Context, st workflow.Step) error { return errNotYet }
func (s *Store) Order(ctx context.Context, id order.ID) (order.Order, error) {
	return order.Order{}, errNotYet
}
func (s *Store) Link(ctx context.Context, h order.SecretHash) (order.Link, error) {
	return order.Link{}, errNotYet
}
func (s *Store) Evidence(ctx context.Context, claims []approval.Claim) ([]approval.Evidence, error) {
	return nil, errNotYet
}
func (s *Store) Mail(ctx context.Context, id string) (notify.Mail, error) {
	return notify.Mail{}, errNotYet
}
func (s *Store) CommitMail(ctx context.Context, m notify.Mail, entries ...audit.Entry) error {
	return errNotYet
}
func (s *Store) OpenIntents(ctx context.Context) ([]issuance.Intent, error) { return nil, errNotYet }
func (s *Store) Intent(ctx context.Context, n issuance.Serial) (issuance.Intent, error) {
	return issuance.Intent{}, errNotYet
}
func (s *Store) CommitBatch(ctx context.Context, b issuance.Batch, entries ...audit.Entry) error {
	return errNotYet
}
func (s *Store) Certificate(ctx context.Context, n issuance.Serial) (issuance.Certificate, error) {
	return issuance.Certificate{}, errNotYet
}
func (s *Store) Standing(ctx context.Context, issuer string, n issuance.Serial) (status.Standing, error) {
	return status.Standing{}, errNotYet
}
func (s *Store) CommitRevocations(ctx context.Context, c status.Change) error { return errNotYet }
func (s *Store) LastRevocation(ctx context.Context, issuer string) (int64, error) {
	return 0, errNotYet
}
func (s *Store) Revocations(ctx context.Context, issuer string, notBefore time.Time, f func(status.Revocation) error) error {
	return errNotYet
}
func (s *Store) LastCRL(ctx context.Context, issuer string) (status.CRL, error) {
	return status.CRL{}, errNotYet
}
func (s *Store) CommitCRL(ctx context.Context, c status.CRL, entries ...audit.Entry) error {
	return errNotYet
}
func (s *Store) Orders(ctx context.Context, f order.Filter) ([]order.Order, error) {
	return nil, errNotYet
}
func (s *Store) Certificates(ctx context.Context, f issuance.Filter) ([]issuance.Certificate, error) {
	return nil, errNotYet
}
func (s *Store) Expiring(ctx context.Context, from, until time.Time, limit int, after issuance.Serial) ([]issuance.Certificate, error) {
	return nil, errNotYet
}
func (s *Store) Mails(ctx context.Context, f notify.Filter) ([]notify.Mail, error) {
	return nil, errNotYet
}
func (s *Store) AuditEntries(ctx context.Context, f audit.Filter) ([]audit.Entry, error) {
	return nil, errNotYet
}
func (s *Store) AuditLog(ctx context.Context) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) { yield(audit.Entry{}, errNotYet) }
}
func (s *Store) AuditHead(ctx context.Context) (audit.Head, error)             { return audit.Head{}, errNotYet }
func (s *Store) AppendAudit(ctx context.Context, entries ...audit.Entry) error { return errNotYet }
func (s *Store) EnqueueJobs(ctx context.Context, j ...jobs.Job) error          { return errNotYet }
func (s *Store) Census(ctx context.Context, now time.Time) (lifecycle.Census, error) {
	return lifecycle.Census{}, errNotYet
}
func (s *Store) Setting(ctx context.Context, key string) (string, error) { return "", errNotYet }
func (s *Store) SetSetting(ctx context.Context, key, value string, entries ...audit.Entry) error {
	return errNotYet
}

// Runner runs the jobs of the house.
type Runner struct{}

func (s *Store) NewRunner(table jobs.Table, periodic []jobs.Periodic, logger *slog.Logger) (*Runner, error) {
	return nil, errNotYet
}
func (r *Runner) Start(ctx context.Context) error { return errNotYet }
func (r *Runner) Stop(ctx context.Context) error  { return errNotYet }
