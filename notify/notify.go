// Package notify answers: which mails do we write, and did they leave?
//
// A Mail is what the ledger knows of one: to whom, why, and what became of it. What it says is composed when it is
// sent, because the links in it are secrets that are stored nowhere; a Message is that composed form.
package notify

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"time"

	"chancery.example/jobs"
	"chancery.example/mailbox"
)

// Kind is why a mail is written; it names the texts in the catalogue.
type Kind string

// State is what became of a mail.
type State string

// The states of a mail.
const (
	Queued  State = "queued"  // to be composed and sent
	Sending State = "sending" // composed; handed to the carrier or about to be
	Sent    State = "sent"    // the carrier took it
	Failed  State = "failed"  // given up
	Dropped State = "dropped" // no longer needed when its turn came
)

// Mail is the record of one mail.
type Mail struct {
	ID        string // "mail_" and 26 characters; the local part of its Message-ID
	Kind      Kind
	To        mailbox.Address
	Language  string
	Order     string // the order that it is about, or empty
	Serial    string // the certificate that it is about, or empty
	State     State
	Attempts  int
	LastError string // fit for the administrator
	CreatedAt time.Time
	SentAt    time.Time
}

// Send is the kind of the job that composes and sends a mail; its arguments are SendArgs.
const Send jobs.Kind = "mail.send"

// SendArgs are the arguments of a Send job.
type SendArgs struct {
	Mail string `json:"mail"`
}

// New makes a queued mail and the job that sends it.
func New(k Kind, to mailbox.Address, language string, now time.Time) (Mail, jobs.Job) {
	var b [16]byte
	rand.Read(b[:])
	id := "mail_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
	return Mail{ID: id, Kind: k, To: to, Language: language, State: Queued, CreatedAt: now},
		jobs.New(Send, SendArgs{Mail: id}).Once(id).Tries(sendTries)
}

// sendTries are as many as fit into two days with the pauses of the job runner (the fourth power of the attempt, in
// seconds): a mail server that is down over a weekend night is no reason to give up.
const sendTries = 16

// Message is a composed mail, ready to leave.
type Message struct {
	ID      string // of the Mail
	To      mailbox.Address
	Subject string
	Text    string // plain text, UTF-8, LF
	HTML    string // the same as HTML; may be empty
	Date    time.Time
}

// Carrier takes a message away: to an SMTP server, or into the local outbox. Carrying the same ID twice must not give
// the local outbox two mails.
type Carrier interface {
	Carry(ctx context.Context, m Message) error
}

// Filter chooses mails for a list, newest first.
type Filter struct {
	Text   string // part of the address; empty for all
	Order  string // about this order; empty for all
	Serial string // about this certificate; empty for all
	Kind   Kind   // empty for all
	State  State  // empty for all
	After  string // the last ID of the page before; empty for the first page
	Limit  int    // 1 to 500
}
