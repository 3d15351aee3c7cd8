package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

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
	// Errors are the places of a request that does not fit its description.
	Errors []Place `json:"errors,omitempty" doc:"What does not fit the description of the call, and where."`
	wait   int
}

// Place is one thing in a request that does not fit the description of its call.
type Place struct {
	Where string `json:"where" example:"body.mailbox"`
	Text  string `json:"text" example:"expected required property mailbox to be present"`
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

// codes are the codes of what the framework refuses by itself, before a call is reached.
var codes = map[int]string{
	http.StatusBadRequest:            "api.unreadable",
	http.StatusRequestTimeout:        "api.slow",
	http.StatusNotAcceptable:         "api.not-acceptable",
	http.StatusRequestEntityTooLarge: "api.too-large",
	http.StatusUnsupportedMediaType:  "api.media-type",
	http.StatusUnprocessableEntity:   "api.invalid",
}

// translate turns the framework's own refusals into problems like ours.
func translate(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := &Problem{Title: e.Title, Status: e.Status, Detail: e.Detail, Code: codes[e.Status]}
	if p.Code == "" {
		p.Code = "internal"
	}
	for _, one := range e.Errors {
		p.Errors = append(p.Errors, Place{Where: one.Location, Text: one.Message})
	}
	return p, nil
}

// problems describes the errors of a call, beside the answers that it describes itself.
func (a *API) problems(own map[string]*huma.Response) map[string]*huma.Response {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	all := maps.Clone(own)
	if all == nil {
		all = map[string]*huma.Response{}
	}
	for _, s := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusTooManyRequests} {
		all[strconv.Itoa(s)] = &huma.Response{Description: http.StatusText(s), Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema}}}
	}
	all["default"] = &huma.Response{Description: "Any other problem.", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: schema}}}
	return all
}

// forgetErrorModel takes the framework's own description of errors out of the document; translate makes Problems of them.
func (a *API) forgetErrorModel() {
	known := a.huma.OpenAPI().Components.Schemas.Map()
	delete(known, "ErrorModel")
	delete(known, "ErrorDetail")
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
