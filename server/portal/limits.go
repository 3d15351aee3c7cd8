package portal

import (
	"net/http"
	"time"

	"chancery.example/server/access"
)

// The doors that anybody can open, each with a limit of its own. Signing in and setting up are limited by access.
const (
	doorOrder    access.Door = "portal.order"
	doorMail     access.Door = "portal.mail"     // by mailbox, which must not be flooded
	doorLink     access.Door = "portal.link"     // guessing secrets, and making keys
	doorStrength access.Door = "portal.strength" // scoring a password takes some milliseconds
	doorKey      access.Door = "portal.key"      // making a key takes a second of a processor
)

// doorLimits are generous for a person and an office behind one address, and tight for a script.
var doorLimits = map[access.Door]access.Limit{
	doorOrder:    {Burst: 20, Every: 30 * time.Second, AllBurst: 200, AllEvery: 200 * time.Millisecond},
	doorMail:     {Burst: 3, Every: 10 * time.Minute, AllBurst: 200, AllEvery: 200 * time.Millisecond},
	doorLink:     {Burst: 60, Every: time.Second, AllBurst: 2000, AllEvery: 5 * time.Millisecond},
	doorStrength: {Burst: 60, Every: 200 * time.Millisecond, AllBurst: 500, AllEvery: 10 * time.Millisecond},
	doorKey:      {Burst: 10, Every: 30 * time.Second, AllBurst: 100, AllEvery: 100 * time.Millisecond},
}

// limits counts the goes at each door.
type limits struct{ *access.Limiter }

func newLimits(of map[access.Door]access.Limit, clock func() time.Time) limits {
	if of == nil {
		of = doorLimits
	}
	return limits{access.NewLimiter(of, clock)}
}

// take asks for one go at a door for whoever sends the request.
func (l limits) take(d access.Door, r *http.Request) error { return l.Take(d, client(r)) }
