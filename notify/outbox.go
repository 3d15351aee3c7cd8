package notify

import (
	"context"
	"errors"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"

	"chancery.example/fault"
)

// Outbox is the carrier of a house that has no SMTP server yet: each mail becomes one .eml file that the administrator
// reads. A mail that is carried again replaces its file, so it is never there twice.
type Outbox struct {
	dir  string
	from mail.Address
}

// OpenOutbox makes the folder if it is not there (mode 0700: the mails hold secret links).
func OpenOutbox(dir string, from mail.Address) (*Outbox, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "outbox.folder", "The outbox folder cannot be made. Check the rights of the data directory.")
	}
	return &Outbox{dir: dir, from: from}, nil
}

// Carry writes the mail as a file, whole or not at all.
func (o *Outbox) Carry(_ context.Context, m Message) error {
	msg, err := m.build(o.from)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(o.dir, ".new-*")
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "outbox.write", "The outbox cannot be written. Is the disk full?")
	}
	defer os.Remove(f.Name())
	_, err = msg.WriteTo(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(o.dir, m.ID+".eml"))
	}
	if err == nil {
		err = o.sync() // the ledger is about to say that this mail left
	}
	if err != nil {
		return fault.Wrap(err, fault.Unavailable, "outbox.write", "The outbox cannot be written. Is the disk full?")
	}
	return nil
}

// sync makes the names in the folder durable.
func (o *Outbox) sync() error {
	d, err := os.Open(o.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Read gives a mail's file; fault.NotFound when it is not in the outbox.
func (o *Outbox) Read(id string) ([]byte, error) {
	if !mailID.MatchString(id) { // it becomes part of a path
		return nil, fault.New(fault.NotFound, "outbox.unknown", "There is no such mail.")
	}
	raw, err := os.ReadFile(filepath.Join(o.dir, id+".eml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "outbox.elsewhere", "This mail is not in the outbox: it has not been composed yet, or an SMTP server took it.")
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "outbox.read", "The outbox cannot be read. Check the rights of the data directory.")
	}
	return raw, nil
}

// mailID is what New gives a mail as its ID.
var mailID = regexp.MustCompile(`^mail_[a-z2-7]{26}$`)
