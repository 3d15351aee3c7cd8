package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"chancery.example/fault"
	"chancery.example/server/access"
)

// statuses is how kinds of fault become HTTP statuses at this door.
var statuses = map[fault.Kind]int{
	fault.Internal:    http.StatusInternalServerError,
	fault.Invalid:     http.StatusUnprocessableEntity,
	fault.Denied:      http.StatusForbidden,
	fault.Anonymous:   http.StatusUnauthorized,
	fault.NotFound:    http.StatusNotFound,
	fault.Conflict:    http.StatusConflict,
	fault.Gone:        http.StatusGone,
	fault.TooLarge:    http.StatusRequestEntityTooLarge,
	fault.Refused:     http.StatusUnprocessableEntity,
	fault.Limited:     http.StatusTooManyRequests,
	fault.Unavailable: http.StatusServiceUnavailable,
}

// Problem is the body of every error (RFC 9457).
type Problem struct {
	Title  string `json:"title" doc:"The class of the problem." example:"Conflict"`
	Status int    `json:"status" example:"409"`
	Detail string `json:"detail" doc:"What is wrong, and what to do."`
	Code   string `json:"code" doc:"Stable; scripts decide by it." example:"order.state-delivered"`
	wait   int
}

// Error is the sentence.
func (p *Problem) Error() string { return p.Detail }

// GetStatus tells the framework the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType tells the framework the media type.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders adds when to come again.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.wait > 0 {
		h.Set("Retry-After", strconv.Itoa(p.wait))
	}
	return h
}

// problem turns an error into what the caller is told; what is our own failure goes to the log.
func (a *API) problem(ctx context.Context, err error) *Problem {
	k := fault.KindOf(err)
	if k == fault.Internal {
		a.Log.ErrorContext(ctx, "a call failed", "err", err)
	}
	return &Problem{Title: http.StatusText(statuses[k]), Status: statuses[k], Detail: fault.Sentence(err), Code: fault.CodeOf(err), wait: access.RetryAfter(err)}
}

// Refuse writes an error as a problem; the middleware before this door uses it too.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problem(r.Context(), err)
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}
