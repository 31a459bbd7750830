package gateway

// warnPreflights warns of guarded routes that catch CORS preflights of an API with cors: browsers send no credentials with one, so
// that it is refused ("Configure CORS for HTTP APIs in API Gateway").
func (a *api) warnPreflights(routes []*route, at string, f *faults) {
	if a.cors == nil || f.fatal() {
		return
	}
	for i, r := range routes {
		path, own := "/"+sampleSegment, "/{proxy+}"
		if r.method != DefaultRoute {
			path, own = samplePath(r.resource), r.resource
		}
		if !r.isOpen() && a.find(path, "OPTIONS") == r {
			f.warn(routeAt(at, i)+".route", "the API has cors, and this guarded route catches preflights, which browsers send without credentials: they are refused; "+
				`write {route: "OPTIONS %s", authorization: NONE} beside it`, own)
		}
	}
}
