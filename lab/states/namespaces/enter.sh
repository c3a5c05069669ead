enable lab-namespaces.service
enable lab-traffic@blue.service
enable lab-traffic@green.service
