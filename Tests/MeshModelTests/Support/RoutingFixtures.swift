import MeshModel

extension Workload {
  func changed(_ change: (inout Workload) -> Void) -> Workload {
    var workload = self
    change(&workload)
    return workload
  }

  func through(_ waypoint: GatewayAddress) -> Workload { changed { $0.waypoint = waypoint } }
  /// On another network.
  var far: Workload { changed { $0.network = "far" } }
  func called(_ hostname: String) -> Workload { changed { $0.hostname = hostname } }
  var native: Workload { changed { $0.isNativeTunnel = true } }
  func told(port: UInt16) -> Workload {
    changed { $0.applicationTunnel = ApplicationTunnel(form: .proxy, port: port) }
  }
  func entered(at gateway: GatewayAddress) -> Workload { changed { $0.networkGateway = gateway } }
  func weighing(_ capacity: UInt32) -> Workload { changed { $0.capacity = capacity } }
}

extension Service {
  func changed(_ change: (inout Service) -> Void) -> Service {
    var service = self
    change(&service)
    return service
  }

  func through(_ waypoint: GatewayAddress) -> Service { changed { $0.waypoint = waypoint } }
  func lending(_ names: SPIFFEID...) -> Service { changed { $0.subjectAltNames = names } }
  func balanced(_ balancing: LoadBalancing) -> Service { changed { $0.loadBalancing = balancing } }
  func offering(_ families: AddressFamilies) -> Service {
    changed { $0.addressFamilies = families }
  }
  func weighing(_ waypoints: [(GatewayAddress.Destination, UInt32)]) -> Service {
    changed {
      $0.weightedWaypoints = waypoints.map {
        WeightedWaypoint(waypoint: GatewayAddress(destination: $0.0), weight: $0.1)
      }
    }
  }
}
