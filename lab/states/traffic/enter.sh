enable lab-traffic.service
