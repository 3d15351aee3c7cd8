package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestAJobSaysWhatItPromises(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	plain := New("mail.send", map[string]string{"mail": "mail_x"})
	full := plain.At(at).Once("mail_x").Tries(3)
	if string(full.Args) != `{"mail":"mail_x"}` || !full.RunAt.Equal(at) || full.Unique != "mail_x" || full.MaxAttempts != 3 {
		t.Errorf("got %+v", full)
	}
	if !plain.RunAt.IsZero() || plain.Unique != "" || plain.MaxAttempts != 0 {
		t.Errorf("the job that it was made from changed: %+v", plain)
	}
}

func TestDecodeGivesAHandlerItsArguments(t *testing.T) {
	type args struct{ Mail string }
	var got args
	h := Decode(func(_ context.Context, a args, n Attempt) error {
		got = a
		if n.Number != 2 || !n.Last {
			t.Errorf("the attempt is %+v", n)
		}
		return nil
	})
	if err := h(t.Context(), Attempt{Args: json.RawMessage(`{"Mail":"x"}`), Number: 2, Last: true}); err != nil || got.Mail != "x" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := h(t.Context(), Attempt{Args: json.RawMessage(`[`)}); !GivenUp(err) {
		t.Errorf("arguments that cannot be read would be tried again: %v", err)
	}
}

func TestGivenUpIsSeenThroughWrapping(t *testing.T) {
	cause := errors.New("550 no such mailbox")
	err := fmt.Errorf("sending: %w", Give(cause))
	if !GivenUp(err) || !errors.Is(err, cause) || GivenUp(cause) || GivenUp(nil) {
		t.Errorf("Give and GivenUp do not agree on %v", err)
	}
}
