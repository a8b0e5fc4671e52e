package host

import (
	"errors"
	"fmt"

	"github.com/dserver/dserver/sandbox"
)

// App is an application: a name and the services it is made of. Build one in
// main, add services in the order in which they shall start, and end with
//
//	os.Exit(app.Main())
//
// An App is used by one goroutine.
type App struct {
	name     string
	short    string
	services []service
	demo     *App
	demoHint string
	faults   []error // mistakes made while adding; told when a verb needs the services
}

// service is one added service and what was said about it in code. The
// configuration file has the last word on everything but the constructor.
type service struct {
	name   string
	new    func() sandbox.Service
	worker string
	listen []string
}

// AddOption says more about one service.
type AddOption func(*service)

// InWorker puts the service into the worker of that name in multi mode, beside
// the others of the same name. Default: a worker of the service's own name.
func InWorker(name string) AddOption {
	return func(s *service) { s.worker = name }
}

// Listen declares addresses, such as tcp://127.0.0.1:9091 or unix://math.sock,
// for a service whose section in the configuration has no listen key.
func Listen(addresses ...string) AddOption {
	return func(s *service) { s.listen = append(s.listen, addresses...) }
}

// New returns an application without services. name is the default of --name:
// [a-z0-9-], at most 63 characters.
func New(name string) *App { return &App{name: name} }

// Add adds a service. The same value serves again after each restart of its
// sandbox, never twice at a time.
func (a *App) Add(s sandbox.Service, options ...AddOption) {
	if s == nil {
		a.faults = append(a.faults, errors.New("cannot add a nil service"))
		return
	}
	a.add(s.Name(), func() sandbox.Service { return s }, options)
}

// AddFunc adds a service of which each start gets a fresh value. f is called
// once here, for the name.
func (a *App) AddFunc(f func() sandbox.Service, options ...AddOption) {
	if f == nil {
		a.faults = append(a.faults, errors.New("cannot add a nil constructor"))
		return
	}
	a.add(f().Name(), f, options)
}

// Demo gives the application a built-in demonstration, run by `start --demo`.
// hint are lines to print once it runs: what to try next.
func (a *App) Demo(demo *App, hint string) { a.demo, a.demoHint = demo, hint }

func (a *App) add(name string, f func() sandbox.Service, options []AddOption) {
	for _, s := range a.services {
		if s.name == name {
			a.faults = append(a.faults, fmt.Errorf("cannot add a second service named %q", name))
			return
		}
	}
	s := service{name: name, new: f}
	for _, option := range options {
		option(&s)
	}
	a.services = append(a.services, s)
}

// Describe says in one line what the application is; --help shows it.
func (a *App) Describe(short string) { a.short = short }

// fault tells what is wrong with what was added.
func (a *App) fault() error { return errors.Join(a.faults...) }

// find gives the constructor of a service.
func (a *App) find(name string) (func() sandbox.Service, bool) {
	for _, s := range a.services {
		if s.name == name {
			return s.new, true
		}
	}
	return nil, false
}
